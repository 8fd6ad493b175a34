package main

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"

	"github.com/containerd/stargz-snapshotter/estargz"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
)

type dualAnswer struct {
	DiffID            digest.Digest         `json:"diff_id"`
	Tree              map[string]*treeEntry `json:"tree"`
	PodmanAnnotations map[string]string     `json:"podman_annotations"`
	StargzAnnotations map[string]string     `json:"stargz_annotations"`
	Estargz           *estargzAnswer        `json:"estargz"`
	Podman            *podmanAnswer         `json:"podman"`
}

// dualCommand reads one blob in three ways: as a plain zstd tar, as stargz-snapshotter and as Podman. All must see the same files,
// and the annotations and digests that are given must be the ones that follow from the bytes.
func dualCommand(arguments []string) (any, error) {
	flags := flag.NewFlagSet("dual", flag.ContinueOnError)
	annotations := annotationsFlag{}
	flags.Var(&annotations, "annotations", "of the manifest for Podman")
	tocDigest := flags.String("toc-digest", "", "of the manifest for stargz-snapshotter")
	diffID := flags.String("diff-id", "", "in the image's configuration")
	folder := flags.String("store", "", "for Podman's layers")
	positional, err := parse(flags, arguments, 1)
	if err != nil {
		return nil, err
	}
	answer, err := readDual(positional[0], *folder)
	if err != nil {
		return nil, err
	}
	switch {
	case len(annotations) > 0 && !maps.Equal(annotations, answer.PodmanAnnotations):
		err = fmt.Errorf("Podman's annotations are %v, the footer says %v", annotations, answer.PodmanAnnotations)
	case *tocDigest != "" && *tocDigest != answer.Estargz.TOCDigest.String():
		err = fmt.Errorf("the TOC has digest %s, not %s", answer.Estargz.TOCDigest, *tocDigest)
	case *diffID != "" && *diffID != answer.DiffID.String():
		err = fmt.Errorf("the tar has digest %s, not %s", answer.DiffID, *diffID)
	}
	return answer, err
}

func readDual(name, folder string) (*dualAnswer, error) {
	blob, err := openBlob(name)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	answer := &dualAnswer{}
	size, err := answer.readPlain(blob)
	if err != nil {
		return nil, fmt.Errorf("as a plain layer: %w", err)
	}
	if answer.PodmanAnnotations, err = annotationsFromFooters(blob); err != nil {
		return nil, err
	}
	if answer.Estargz, err = readLazily(name, ""); err != nil {
		return nil, fmt.Errorf("as a stargz layer: %w", err)
	}
	answer.StargzAnnotations = map[string]string{
		estargz.TOCJSONDigestAnnotation:         answer.Estargz.TOCDigest.String(),
		estargz.StoreUncompressedSizeAnnotation: fmt.Sprint(size),
	}
	if answer.Podman, err = applyPartially(name, answer.PodmanAnnotations, folder); err != nil {
		return nil, fmt.Errorf("as Podman's layer: %w", err)
	}
	return answer, answer.compare(size)
}

func (answer *dualAnswer) readPlain(blob *blobFile) (int64, error) {
	decoder, err := zstd.NewReader(blob.section())
	if err != nil {
		return 0, err
	}
	defer decoder.Close()
	digester := digest.SHA256.Digester()
	counter := &countingWriter{}
	answer.Tree, err = readTar(io.TeeReader(decoder, io.MultiWriter(digester.Hash(), counter)))
	answer.DiffID = digester.Digest()
	return counter.count, err
}

func (answer *dualAnswer) compare(size int64) error {
	if answer.Podman.DiffID != answer.DiffID || answer.Podman.TarSize != size {
		return fmt.Errorf("tar-split gives %s of %d bytes, zstd gives %s of %d",
			answer.Podman.DiffID, answer.Podman.TarSize, answer.DiffID, size)
	}
	if err := sameKeys(answer.Tree, answer.Podman.Tree, "Podman"); err != nil {
		return err
	}
	files := map[string]digest.Digest{}
	for name, entry := range answer.Tree {
		expected, found := partiallyPulled(*entry), partiallyPulled(*answer.Podman.Tree[name])
		if !reflect.DeepEqual(expected, found) {
			return fmt.Errorf("%s is %+v in the tar, %+v for Podman", name, expected, found)
		}
		if entry.Type == "reg" {
			files[name] = entry.SHA256
		}
	}
	if err := sameKeys(files, answer.Estargz.Files, "stargz-snapshotter"); err != nil {
		return err
	}
	for name, expected := range files {
		if found := answer.Estargz.Files[name]; found != expected {
			return fmt.Errorf("%s has digest %s in the tar, %s for stargz-snapshotter", name, expected, found)
		}
	}
	return nil
}

// partiallyPulled drops what a partial pull does not restore, whoever wrote the blob: it fills folders after setting their times,
// and gives symbolic links nothing but their target. (Nor does it create devices and fifos, but no layer of whittle's has them.)
func partiallyPulled(entry treeEntry) treeEntry {
	switch entry.Type {
	case "symlink":
		entry.UID, entry.GID, entry.ModTime = 0, 0, 0
	case "dir":
		entry.ModTime = 0
	}
	return entry
}

func sameKeys[A, B any](expected map[string]A, found map[string]B, who string) error {
	for _, name := range slices.Sorted(maps.Keys(expected)) {
		if _, is := found[name]; !is {
			return fmt.Errorf("%s is in the tar, but not for %s", name, who)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if _, is := expected[name]; !is {
			return fmt.Errorf("%s is not in the tar, but for %s it is", name, who)
		}
	}
	return nil
}

const (
	podmanFooter   = 64
	stargzFooter   = 40
	frameHeader    = 8
	skippableMagic = 0x184D2A50
)

// annotationsFromFooters reads Podman's footer, which Podman never does, and requires that both footers, both skippable frames
// and the blob's end fit each other without a gap.
func annotationsFromFooters(blob *blobFile) (map[string]string, error) {
	tail := make([]byte, frameHeader+podmanFooter+frameHeader+stargzFooter)
	if _, err := blob.ReadAt(tail, blob.size-int64(len(tail))); err != nil {
		return nil, fmt.Errorf("the blob has no room for two footers: %w", err)
	}
	word := func(at int) uint64 { return binary.LittleEndian.Uint64(tail[at:]) }
	half := func(at int) uint32 { return binary.LittleEndian.Uint32(tail[at:]) }
	podman, stargz := frameHeader, frameHeader+podmanFooter+frameHeader
	tocOffset, tocLength, tarSplitOffset, tarSplitLength := word(podman), word(podman+8), word(podman+32), word(podman+40)
	footers := uint64(blob.size) - uint64(len(tail))
	switch {
	case half(0) != skippableMagic || half(4) != podmanFooter || string(tail[podman+56:podman+64]) != "GNUlInUx":
		return nil, errors.New("no footer of Podman's 72 + 48 bytes before the end")
	case half(stargz-8) != skippableMagic || half(stargz-4) != stargzFooter || string(tail[stargz+32:stargz+40]) != "GnUlInUx":
		return nil, errors.New("no footer of stargz's at the end")
	case string(tail[podman:podman+32]) != string(tail[stargz:stargz+32]):
		return nil, errors.New("the two footers describe different TOCs")
	case tarSplitOffset != tocOffset+tocLength+frameHeader || footers != tarSplitOffset+tarSplitLength:
		return nil, errors.New("TOC, tar-split and footers do not follow each other without a gap")
	}
	toc, err := packedPart(blob, tocOffset, tocLength, word(podman+16))
	if err != nil {
		return nil, fmt.Errorf("TOC: %w", err)
	}
	if _, err := packedPart(blob, tarSplitOffset, tarSplitLength, word(podman+48)); err != nil {
		return nil, fmt.Errorf("tar-split: %w", err)
	}
	const prefix = "io.github.containers.zstd-chunked."
	return map[string]string{
		prefix + "manifest-checksum": digest.FromBytes(toc).String(),
		prefix + "manifest-position": fmt.Sprintf("%d:%d:%d:%d", tocOffset, tocLength, word(podman+16), word(podman+24)),
		prefix + "tarsplit-position": fmt.Sprintf("%d:%d:%d", tarSplitOffset, tarSplitLength, word(podman+48)),
	}, nil
}

// packedPart returns a part's compressed bytes after checking that it is a skippable frame of zstd data of the size that the footer
// says. No library looks at that size.
func packedPart(blob *blobFile, offset, length, unpackedSize uint64) ([]byte, error) {
	part := make([]byte, frameHeader+length)
	if _, err := blob.ReadAt(part, int64(offset-frameHeader)); err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(part) != skippableMagic || uint64(binary.LittleEndian.Uint32(part[4:])) != length {
		return nil, errors.New("not in a skippable frame of its length")
	}
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		return nil, err
	}
	defer decoder.Close()
	unpacked, err := decoder.DecodeAll(part[frameHeader:], nil)
	if err == nil && uint64(len(unpacked)) != unpackedSize {
		err = fmt.Errorf("%d bytes when unpacked, the footer says %d", len(unpacked), unpackedSize)
	}
	return part[frameHeader:], err
}

type countingWriter struct{ count int64 }

func (writer *countingWriter) Write(data []byte) (int, error) {
	writer.count += int64(len(data))
	return len(data), nil
}
