package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	"go.podman.io/storage"
	graphdriver "go.podman.io/storage/drivers"
	_ "go.podman.io/storage/drivers/register"
	"go.podman.io/storage/pkg/chunked"
)

type podmanAnswer struct {
	Driver    string                `json:"driver"`
	DiffID    digest.Digest         `json:"diff_id"` // of the tar that the library put together again from tar-split and files
	TarSize   int64                 `json:"tar_size"`
	TOCDigest digest.Digest         `json:"toc_digest"`
	Tree      map[string]*treeEntry `json:"tree"`
	Requests  [][]byteRange         `json:"requests"` // the first is TOC and tar-split
	Fetched   uint64                `json:"fetched"`
	Blob      int64                 `json:"blob"`
}

type byteRange [2]uint64 // offset and length

func podmanCommand(arguments []string) (any, error) {
	flags := flag.NewFlagSet("podman", flag.ContinueOnError)
	annotations := annotationsFlag{}
	flags.Var(&annotations, "annotations", "what the layer's descriptor says")
	folder := flags.String("store", "", "kept from call to call, so that a later layer finds the files of an earlier one")
	positional, err := parse(flags, arguments, 1)
	if err != nil {
		return nil, err
	}
	return applyPartially(positional[0], annotations, *folder)
}

// applyPartially does what a partial pull does once the manifest is known, with the file in place of the registry.
func applyPartially(name string, annotations map[string]string, folder string) (_ *podmanAnswer, failure error) {
	blob, err := openBlob(name)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	blobDigest, err := digest.FromReader(blob.section())
	if err != nil {
		return nil, err
	}
	store, err := openStore(folder, true)
	if err != nil {
		return nil, err
	}
	defer closeStore(store, &failure)

	source := &countingSource{blob: blob}
	differ, err := chunked.NewDiffer(context.Background(), store, blobDigest, blob.size, annotations, source)
	if err != nil {
		return nil, refusal("NewDiffer", err)
	}
	defer differ.Close()
	staged, err := store.PrepareStagedLayer(nil, differ)
	if err != nil {
		return nil, refusal("PrepareStagedLayer", err)
	}
	tree, err := readTree(staged.Target)
	if err != nil {
		return nil, errors.Join(err, store.CleanupStagedLayer(staged))
	}
	answer := &podmanAnswer{
		Driver:    store.GraphDriverName(),
		DiffID:    staged.UncompressedDigest,
		TarSize:   staged.Size,
		TOCDigest: staged.TOCDigest,
		Tree:      tree,
		Requests:  source.requests,
		Fetched:   source.fetched,
		Blob:      blob.size,
	}
	_, err = store.ApplyStagedLayer(storage.ApplyStagedLayerOptions{
		ID:          blobDigest.Encoded(),
		DiffOutput:  staged,
		DiffOptions: &graphdriver.ApplyDiffWithDifferOpts{},
	})
	if err != nil {
		return nil, errors.Join(refusal("ApplyStagedLayer", err), store.CleanupStagedLayer(staged))
	}
	return answer, nil
}

// refusal says whether Podman would go on with an ordinary download of the whole blob, or fail the pull.
func refusal(step string, err error) error {
	var fallback chunked.ErrFallbackToOrdinaryLayerDownload
	if errors.As(err, &fallback) {
		return fmt.Errorf("%s: falls back to an ordinary download: %w", step, err)
	}
	return fmt.Errorf("%s: %w", step, err)
}

// openStore uses overlay, the only driver that takes partial pulls, and nothing of the host's configuration.
func openStore(folder string, partial bool) (storage.Store, error) {
	if folder == "" {
		return nil, errUsage
	}
	absolute, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	store, err := storage.GetStore(storage.StoreOptions{
		RunRoot:         filepath.Join(absolute, "run"),
		GraphRoot:       filepath.Join(absolute, "root"),
		GraphDriverName: "overlay",
		PullOptions:     map[string]string{"enable_partial_images": fmt.Sprint(partial)},
	})
	if err != nil {
		return nil, fmt.Errorf("overlay store in %s: %w", absolute, err)
	}
	return store, nil
}

func closeStore(store storage.Store, failure *error) {
	if _, err := store.Shutdown(true); err != nil {
		*failure = errors.Join(*failure, err)
	}
}

// countingSource serves byte ranges of a file and remembers them. It is stricter than a registry: ranges must be inside the blob,
// sorted, apart, and at least one.
type countingSource struct {
	blob     *blobFile
	requests [][]byteRange
	fetched  uint64
}

func (source *countingSource) GetBlobAt(chunks []chunked.ImageSourceChunk) (chan io.ReadCloser, chan error, error) {
	if len(chunks) == 0 {
		return nil, nil, errors.New("a request without a range: a registry would answer with the whole blob")
	}
	request := make([]byteRange, 0, len(chunks))
	end := uint64(0)
	for _, chunk := range chunks {
		if chunk.Length == 0 || chunk.Offset < end || chunk.Offset+chunk.Length > uint64(source.blob.size) {
			return nil, nil, fmt.Errorf("bad range: %d bytes at %d, after %d, of %d", chunk.Length, chunk.Offset, end, source.blob.size)
		}
		end = chunk.Offset + chunk.Length
		request = append(request, byteRange{chunk.Offset, chunk.Length})
		source.fetched += chunk.Length
	}
	source.requests = append(source.requests, request)

	streams := make(chan io.ReadCloser)
	failures := make(chan error)
	go func() {
		defer close(failures)
		defer close(streams)
		for _, chunk := range chunks {
			streams <- io.NopCloser(io.NewSectionReader(source.blob, int64(chunk.Offset), int64(chunk.Length)))
		}
	}()
	return streams, failures, nil
}
