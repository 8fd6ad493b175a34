package main

import (
	"bytes"
	"encoding/json"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// ignoreCommand tells which of some paths a .dockerignore leaves out, by the code that Docker and BuildKit use.
func ignoreCommand(arguments []string) (any, error) {
	if len(arguments) != 1 {
		return nil, errUsage
	}
	var question struct {
		File  string
		Paths []string
	}
	if err := json.Unmarshal([]byte(arguments[0]), &question); err != nil {
		return nil, err
	}
	patterns, err := ignorefile.ReadAll(bytes.NewReader([]byte(question.File)))
	if err != nil {
		return nil, err
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, err
	}
	ignored := []string{}
	for _, path := range question.Paths {
		matches, err := matcher.MatchesOrParentMatches(path)
		if err != nil {
			return nil, err
		}
		if matches {
			ignored = append(ignored, path)
		}
	}
	return map[string]any{"ignored": ignored}, nil
}
