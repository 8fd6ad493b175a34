//! Word counts, most frequent first.

use std::collections::HashMap;

/// Words without regard to case or punctuation, each with its count; equal counts in alphabetical order.
pub fn tally<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<(String, usize)> {
    let mut counts = HashMap::new();
    for text in texts {
        for word in text
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
        {
            *counts.entry(word.to_lowercase()).or_insert(0) += 1;
        }
    }
    let mut table: Vec<_> = counts.into_iter().collect();
    table.sort_by(|(word, count), (other, others)| others.cmp(count).then_with(|| word.cmp(other)));
    table
}

#[cfg(test)]
mod tests {
    use super::tally;

    #[test]
    fn case_and_punctuation_do_not_matter() {
        let table = tally(["To be, or not to be?"]);
        let expected = [("be", 2), ("to", 2), ("not", 1), ("or", 1)];
        assert_eq!(
            table,
            expected.map(|(word, count)| (word.to_string(), count))
        );
    }

    #[test]
    fn nothing_gives_an_empty_table() {
        assert!(tally(["", "  ...  "]).is_empty());
    }
}
