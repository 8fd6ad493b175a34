// Command oracle reads and writes chunked zstd layers with the code of the container engines themselves: stargz-snapshotter's
// estargz package and Podman's storage and image libraries. README.md says what each subcommand proves.
//
// The answer is one JSON document on stdout. Exit code 1 means that the library refused, with its own words on stderr.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"

	"go.podman.io/storage/pkg/reexec"
)

var commands = map[string]func(arguments []string) (any, error){
	"crane":         craneCommand,
	"estargz":       estargzCommand,
	"ignore":        ignoreCommand,
	"podman":        podmanCommand,
	"pull":          pullCommand,
	"dual":          dualCommand,
	"make-podman":   makePodmanCommand,
	"make-stargz":   makeStargzCommand,
	"tar-patch":     tarPatchCommand,
	"make-tar-diff": makeTarDiffCommand,
}

var errUsage = errors.New(`usage:
  oracle crane HOST:PORT/NAME[:TAG] [--insecure] [--pages N] [--artifact-type TYPE]
  oracle estargz BLOB [--toc-digest DIGEST]
  oracle ignore '{"file": TEXT, "paths": [PATH]}'
  oracle podman BLOB --annotations JSON --store FOLDER
  oracle dual BLOB --store FOLDER [--annotations JSON] [--toc-digest DIGEST] [--diff-id DIGEST]
  oracle pull --src docker://HOST:PORT/NAME[:TAG] --store FOLDER [--partial]
  oracle make-podman TAR OUT [--level N]
  oracle make-stargz TAR OUT [--chunk-size BYTES]
  oracle tar-patch PAYLOAD FOLDER OUT
  oracle make-tar-diff NEW FOLDER NAME OUT`)

func main() {
	if reexec.Init() { // the storage library starts itself again to unpack below a chroot
		return
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "oracle: %v\n", err)
		if errors.Is(err, errUsage) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 0 {
		return errUsage
	}
	command, known := commands[arguments[0]]
	if !known {
		return errUsage
	}
	answer, err := command(arguments[1:])
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(answer)
}

// parse accepts flags before and after the `count` positional arguments that it returns.
func parse(flags *flag.FlagSet, arguments []string, count int) ([]string, error) {
	var positional []string
	for len(arguments) > 0 {
		if err := flags.Parse(arguments); err != nil {
			return nil, fmt.Errorf("%w", errUsage)
		}
		arguments = flags.Args()
		if len(arguments) > 0 {
			positional = append(positional, arguments[0])
			arguments = arguments[1:]
		}
	}
	if len(positional) != count {
		return nil, errUsage
	}
	return positional, nil
}

// annotationsFlag is a map of strings given as JSON.
type annotationsFlag map[string]string

func (annotations *annotationsFlag) String() string { return "" }

func (annotations *annotationsFlag) Set(value string) error {
	return json.Unmarshal([]byte(value), (*map[string]string)(annotations))
}
