// Command site reads what whittle writes for a site's machinery with the code of that machinery: Kubernetes' own types,
// and Podman's generator of systemd units. README.md in the folder above says what each subcommand proves.
//
// The answer is one JSON document on stdout. Exit code 1 means that the library refused, with its own words on stderr.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/containers/podman/v5/pkg/systemd/parser"
	"github.com/containers/podman/v5/pkg/systemd/quadlet"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "site: %v\n", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) < 2 {
		return errors.New("usage:\n  site kubernetes FILE\n  site quadlet FILE…")
	}
	var answer any
	var err error
	switch arguments[0] {
	case "kubernetes":
		answer, err = readKubernetes(arguments[1])
	case "quadlet":
		answer, err = convertUnits(arguments[1:])
	default:
		return fmt.Errorf("there is no command %s", arguments[0])
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(answer)
}

type object struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Image  string `json:"image,omitempty"`
	Memory int64  `json:"memory,omitempty"` // bytes of the limit
	CPU    int64  `json:"cpu,omitempty"`    // milli-cores of it
	Port   string `json:"port,omitempty"`   // that is probed
}

// readKubernetes decodes each document into its type, where a key that the type does not have is an error.
func readKubernetes(file string) ([]object, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var found []object
	for number, document := range strings.Split(string(text), "\n---\n") {
		one, err := readObject([]byte(document))
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", number, err)
		}
		found = append(found, one)
	}
	return found, nil
}

func readObject(document []byte) (object, error) {
	var kind struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := yaml.Unmarshal(document, &kind); err != nil {
		return object{}, err
	}
	switch kind.APIVersion + " " + kind.Kind {
	case "v1 Namespace":
		var it corev1.Namespace
		err := strictly(document, &it)
		return object{Kind: kind.Kind, Name: it.Name}, err
	case "v1 ServiceAccount":
		var it corev1.ServiceAccount
		err := strictly(document, &it)
		return object{Kind: kind.Kind, Name: it.Name}, err
	case "v1 Service":
		var it corev1.Service
		err := strictly(document, &it)
		return object{Kind: kind.Kind, Name: it.Name}, err
	case "scheduling.k8s.io/v1 PriorityClass":
		var it schedulingv1.PriorityClass
		err := strictly(document, &it)
		return object{Kind: kind.Kind, Name: it.Name}, err
	case "apps/v1 Deployment":
		var it appsv1.Deployment
		if err := strictly(document, &it); err != nil {
			return object{}, err
		}
		return describe(it)
	}
	return object{}, fmt.Errorf("%s %s is not known here", kind.APIVersion, kind.Kind)
}

func strictly(document []byte, into any) error {
	return yaml.UnmarshalStrict(document, into)
}

func describe(it appsv1.Deployment) (object, error) {
	if len(it.Spec.Template.Spec.Containers) != 1 {
		return object{}, errors.New("a deployment of one container was expected")
	}
	container := it.Spec.Template.Spec.Containers[0]
	found := object{Kind: it.Kind, Name: it.Name, Image: container.Image}
	limits := container.Resources.Limits
	if limits != nil {
		found.Memory = value(limits, corev1.ResourceMemory).Value()
		found.CPU = value(limits, corev1.ResourceCPU).MilliValue()
	}
	if container.LivenessProbe != nil {
		found.Port = container.LivenessProbe.TCPSocket.Port.String()
	}
	return found, nil
}

func value(list corev1.ResourceList, name corev1.ResourceName) *resource.Quantity {
	quantity := list[name]
	return &quantity
}

// convertUnits makes the systemd units that Podman's generator would make of `.image` and `.container` files.
func convertUnits(files []string) (map[string]string, error) {
	units := map[string]*quadlet.UnitInfo{}
	parsed := map[string]*parser.UnitFile{}
	for _, file := range files {
		unit, err := parser.ParseUnitFile(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		name := filepath.Base(file)
		info := &quadlet.UnitInfo{}
		switch filepath.Ext(name) {
		case ".container":
			info.ServiceName = quadlet.GetContainerServiceName(unit)
			info.ResourceName = quadlet.GetContainerResourceName(unit)
		case ".image":
			info.ServiceName = quadlet.GetImageServiceName(unit)
		}
		parsed[name], units[name] = unit, info
	}
	services := map[string]string{}
	for _, kind := range []string{".image", ".container"} { // a container's service names its image's
		for name, unit := range parsed {
			if filepath.Ext(name) != kind {
				continue
			}
			service, err := convert(kind, unit, units)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			text, err := service.ToString()
			if err != nil {
				return nil, err
			}
			services[name] = text
		}
	}
	return services, nil
}

func convert(kind string, unit *parser.UnitFile, units map[string]*quadlet.UnitInfo) (*parser.UnitFile, error) {
	if kind == ".image" {
		return quadlet.ConvertImage(unit, units, false)
	}
	service, warnings, err := quadlet.ConvertContainer(unit, false, units)
	if err == nil && warnings != nil {
		return nil, warnings
	}
	return service, err
}
