//go:build tools

// Package tools names the programs that tests/support/containerd2.py builds, so that go.mod holds their versions.
package tools

import (
	_ "github.com/containerd/containerd/v2/cmd/containerd"
	_ "github.com/containerd/containerd/v2/cmd/ctr"
)
