package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
)

// The format of `application/vnd.tar-diff`, as its description says, on the decompressor that tar-patch is built on. The module
// github.com/containers/tar-diff itself cannot be had from the module proxy.

const (
	opData = iota
	opOpen
	opCopy
	opAdd
	opSeek
)

var tarDiffMagic = []byte("tardf1\n\x00")

// Limits of tar-patch.
const (
	longestName = 4 << 10
	longestAdd  = 100 << 20
)

func tarPatchCommand(arguments []string) (any, error) {
	flags := flag.NewFlagSet("tar-patch", flag.ContinueOnError)
	positional, err := parse(flags, arguments, 3)
	if err != nil {
		return nil, err
	}
	payload, err := os.ReadFile(positional[0])
	if err != nil {
		return nil, err
	}
	var made bytes.Buffer
	counts, err := applyTarDiff(payload, positional[1], &made)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(positional[2], made.Bytes(), 0o644); err != nil {
		return nil, err
	}
	return map[string]any{"digest": digest.FromBytes(made.Bytes()), "operations": counts}, nil
}

func applyTarDiff(payload []byte, folder string, out io.Writer) (map[string]int, error) {
	if !bytes.HasPrefix(payload, tarDiffMagic) {
		return nil, fmt.Errorf("the payload does not begin as a tar-diff")
	}
	decoder, err := zstd.NewReader(bytes.NewReader(payload[len(tarDiffMagic):]), zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		return nil, err
	}
	defer decoder.Close()
	in := bufio.NewReader(decoder)
	names := []string{"data", "open", "copy", "add", "seek"}
	counts := map[string]int{}
	var file *os.File
	for {
		op, err := in.ReadByte()
		if err == io.EOF {
			return counts, nil
		}
		if err != nil {
			return nil, err
		}
		size, err := binary.ReadUvarint(in)
		if err != nil {
			return nil, err
		}
		if int(op) >= len(names) {
			return nil, fmt.Errorf("operation %d", op)
		}
		counts[names[op]]++
		if op != opData && op != opOpen && file == nil {
			return nil, fmt.Errorf("%s before open", names[op])
		}
		switch op {
		case opData:
			_, err = io.CopyN(out, in, int64(size))
		case opOpen:
			if size > longestName {
				return nil, fmt.Errorf("a name of %d bytes", size)
			}
			name := make([]byte, size)
			if _, err = io.ReadFull(in, name); err == nil {
				file, err = os.Open(filepath.Join(folder, filepath.Clean("/"+string(name))))
			}
		case opCopy:
			_, err = io.CopyN(out, file, int64(size))
		case opAdd:
			if size > longestAdd {
				return nil, fmt.Errorf("an addition of %d bytes", size)
			}
			added, old := make([]byte, size), make([]byte, size)
			if _, err = io.ReadFull(in, added); err == nil {
				_, err = io.ReadFull(file, old)
			}
			for i := range added {
				added[i] += old[i]
			}
			if err == nil {
				_, err = out.Write(added)
			}
		case opSeek:
			_, err = file.Seek(int64(size), io.SeekStart)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", names[op], err)
		}
	}
}

// makeTarDiffCommand writes a payload that uses every operation, badly: the tar is `NEW` whatever `OLD/NAME` holds.
func makeTarDiffCommand(arguments []string) (any, error) {
	flags := flag.NewFlagSet("make-tar-diff", flag.ContinueOnError)
	positional, err := parse(flags, arguments, 4)
	if err != nil {
		return nil, err
	}
	fresh, err := os.ReadFile(positional[0])
	if err != nil {
		return nil, err
	}
	old, err := os.ReadFile(filepath.Join(positional[1], positional[2]))
	if err != nil {
		return nil, err
	}
	var payload bytes.Buffer
	payload.Write(tarDiffMagic)
	encoder, err := zstd.NewWriter(&payload, zstd.WithEncoderLevel(zstd.SpeedBetterCompression))
	if err != nil {
		return nil, err
	}
	write := func(op byte, size int, data []byte) {
		encoder.Write(binary.AppendUvarint([]byte{op}, uint64(size)))
		encoder.Write(data)
	}
	const piece = 1000
	for at, number := 0, 0; at < len(fresh); number++ {
		next := fresh[at:min(at+piece, len(fresh))]
		place := (number * 777) % (len(old) + 1)
		before := old[place:min(place+len(next), len(old))]
		if number%5 == 0 || len(before) == 0 {
			write(opData, len(next), next)
			at += len(next)
			continue
		}
		if number%3 == 0 {
			write(opOpen, len(positional[2]), []byte(positional[2]))
		}
		if number < 3 {
			write(opOpen, len(positional[2])+1, []byte("/"+positional[2]))
		}
		write(opSeek, place, nil)
		if bytes.HasPrefix(next, before) {
			write(opCopy, len(before), nil)
			at += len(before)
			continue
		}
		added := make([]byte, len(before))
		for i := range added {
			added[i] = next[i] - before[i]
		}
		write(opAdd, len(added), added)
		at += len(added)
	}
	if err := encoder.Close(); err != nil {
		return nil, err
	}
	return map[string]any{}, os.WriteFile(positional[3], payload.Bytes(), 0o644)
}
