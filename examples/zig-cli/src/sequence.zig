/// Steps until the sequence is at 1.
pub fn steps(start: u64) u32 {
    var number = start;
    var count: u32 = 0;
    while (number > 1) : (count += 1) {
        number = if (number % 2 == 0) number / 2 else 3 * number + 1;
    }
    return count;
}
