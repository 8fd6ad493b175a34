package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	"go.podman.io/image/v5/copy"
	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/manifest"
	"go.podman.io/image/v5/signature"
	istorage "go.podman.io/image/v5/storage"
	"go.podman.io/image/v5/types"
	"go.podman.io/storage"
	"go.podman.io/storage/pkg/archive"
)

type pullAnswer struct {
	Driver   string                  `json:"driver"`
	Manifest digest.Digest           `json:"manifest"` // the one that was chosen, if the name is an index
	DiffIDs  []digest.Digest         `json:"diff_ids"` // base first
	Trees    []map[string]*treeEntry `json:"trees"`    // of each layer as the store would export it
	Requests []*blobRequest          `json:"requests"`
	Fetched  int64                   `json:"fetched"` // bytes of blobs in answers, multipart headers included
}

type blobRequest struct {
	Digest string `json:"digest"`
	Range  string `json:"range,omitempty"`
	Status int    `json:"status"`
	Type   string `json:"type"`
	Bytes  int64  `json:"bytes"`
}

// pullCommand is `podman pull`: a copy from a registry into a store, with partial pulls enabled or not.
func pullCommand(arguments []string) (any, error) {
	flags := flag.NewFlagSet("pull", flag.ContinueOnError)
	source := flags.String("src", "", "docker://HOST:PORT/NAME[:TAG], plain http")
	folder := flags.String("store", "", "kept from call to call, so that a later image finds the files of an earlier one")
	partial := flags.Bool("partial", false, "what enable_partial_images in storage.conf says")
	if _, err := parse(flags, arguments, 0); err != nil {
		return nil, err
	}
	host, name, found := strings.Cut(strings.TrimPrefix(*source, "docker://"), "/")
	if !found {
		return nil, errUsage
	}
	return pull(host, name, *folder, *partial)
}

func pull(host, name, folder string, partial bool) (_ *pullAnswer, failure error) {
	registry, err := watch(host)
	if err != nil {
		return nil, err
	}
	defer registry.listener.Close()
	store, err := openStore(folder, partial)
	if err != nil {
		return nil, err
	}
	defer closeStore(store, &failure)

	from, err := docker.ParseReference("//" + registry.listener.Addr().String() + "/" + name)
	if err != nil {
		return nil, err
	}
	to, err := istorage.Transport.ParseStoreReference(store, "localhost/pulled:latest")
	if err != nil {
		return nil, err
	}
	context_, err := isolatedContext(folder)
	if err != nil {
		return nil, err
	}
	policy, err := signature.NewPolicyContext(&signature.Policy{
		Default: signature.PolicyRequirements{signature.NewPRInsecureAcceptAnything()},
	})
	if err != nil {
		return nil, err
	}
	defer policy.Destroy()
	chosen, err := copy.Image(context.Background(), policy, to, from, &copy.Options{SourceCtx: context_, DestinationCtx: context_})
	if err != nil {
		return nil, err
	}
	answer := &pullAnswer{Driver: store.GraphDriverName(), Requests: registry.requests}
	for _, request := range registry.requests {
		answer.Fetched += request.Bytes
	}
	if answer.Manifest, err = manifest.Digest(chosen); err != nil {
		return nil, err
	}
	return answer, answer.readLayers(store)
}

// isolatedContext keeps the host's registries, credentials and caches out of the pull.
func isolatedContext(folder string) (*types.SystemContext, error) {
	own := filepath.Join(folder, "own")
	for _, sub := range []string{"registries.d", "registries.conf.d", "certs.d", "tmp"} {
		if err := os.MkdirAll(filepath.Join(own, sub), 0o700); err != nil {
			return nil, err
		}
	}
	registries := filepath.Join(own, "registries.conf")
	credentials := filepath.Join(own, "auth.json")
	signatures := fmt.Sprintf("default-docker: {lookaside: 'file://%s/signatures'}\n", own)
	err := errors.Join(
		os.WriteFile(registries, nil, 0o600),
		os.WriteFile(credentials, []byte("{}"), 0o600),
		os.WriteFile(filepath.Join(own, "registries.d", "own.yaml"), []byte(signatures), 0o600),
	)
	if err != nil {
		return nil, err
	}
	return &types.SystemContext{
		SystemRegistriesConfPath:    registries,
		SystemRegistriesConfDirPath: filepath.Join(own, "registries.conf.d"),
		RegistriesDirPath:           filepath.Join(own, "registries.d"),
		DockerCertPath:              filepath.Join(own, "certs.d"),
		AuthFilePath:                credentials,
		BlobInfoCacheDir:            own,
		BigFilesTemporaryDir:        filepath.Join(own, "tmp"),
		DockerInsecureSkipTLSVerify: types.OptionalBoolTrue,
	}, nil
}

func (answer *pullAnswer) readLayers(store storage.Store) error {
	image, err := store.Image("localhost/pulled:latest")
	if err != nil {
		return err
	}
	for id := image.TopLayer; id != ""; {
		layer, err := store.Layer(id)
		if err != nil {
			return err
		}
		tree, err := exportedTree(store, layer)
		if err != nil {
			return err
		}
		answer.DiffIDs = append([]digest.Digest{layer.UncompressedDigest}, answer.DiffIDs...)
		answer.Trees = append([]map[string]*treeEntry{tree}, answer.Trees...)
		id = layer.Parent
	}
	return nil
}

func exportedTree(store storage.Store, layer *storage.Layer) (map[string]*treeEntry, error) {
	uncompressed := archive.Uncompressed
	stream, err := store.Diff(layer.Parent, layer.ID, &storage.DiffOptions{Compression: &uncompressed})
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	digester := digest.SHA256.Digester()
	tree, err := readTar(io.TeeReader(stream, digester.Hash()))
	if err == nil && digester.Digest() != layer.UncompressedDigest {
		err = fmt.Errorf("the store exports layer %s with digest %s", layer.UncompressedDigest, digester.Digest())
	}
	return tree, err
}

// watchedRegistry stands between the client and a registry, and records every request for a blob.
type watchedRegistry struct {
	listener net.Listener
	lock     sync.Mutex
	requests []*blobRequest
}

func watch(host string) (*watchedRegistry, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	registry := &watchedRegistry{listener: listener}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: host})
	proxy.ModifyResponse = registry.record
	go http.Serve(listener, proxy)
	return registry, nil
}

func (registry *watchedRegistry) record(response *http.Response) error {
	_, blob, is := strings.Cut(response.Request.URL.Path, "/blobs/")
	if !is || response.Request.Method != http.MethodGet {
		return nil
	}
	request := &blobRequest{
		Digest: blob,
		Range:  response.Request.Header.Get("Range"),
		Status: response.StatusCode,
		Type:   response.Header.Get("Content-Type"),
	}
	registry.lock.Lock()
	registry.requests = append(registry.requests, request)
	registry.lock.Unlock()
	response.Body = &countedBody{response.Body, registry, request}
	return nil
}

type countedBody struct {
	io.ReadCloser
	registry *watchedRegistry
	request  *blobRequest
}

func (body *countedBody) Read(data []byte) (int, error) {
	count, err := body.ReadCloser.Read(data)
	body.registry.lock.Lock()
	body.request.Bytes += int64(count)
	body.registry.lock.Unlock()
	return count, err
}
