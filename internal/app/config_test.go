package app_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"example.test/eddy/internal/app"
	"example.test/eddy/internal/store"
)

// example is the file with every option that the documents point to.
const example = "../../docs/eddy.yaml"

func TestTheExampleConfigurationLoads(t *testing.T) {
	o, err := app.Load(example)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Validate(); err != nil {
		t.Error(err)
	}
	if o.Step != 10*time.Second || o.Memory != 2<<30 || o.Analysis.Request.Quiet != 5*time.Second || o.Ingest.Bounds.ValueBytes != 4<<10 {
		t.Errorf("loaded step %s, memory %d, quiet %s, value_bytes %d", o.Step, o.Memory, o.Analysis.Request.Quiet, o.Ingest.Bounds.ValueBytes)
	}
	if diff := cmp.Diff(store.DefaultRetention(), o.Retention); diff != "" {
		t.Errorf("retention is not the default (-default +file):\n%s", diff)
	}
}

// The manifests for Kubernetes have a configuration inside.
func TestTheConfigurationOfTheManifestsLoads(t *testing.T) {
	text, err := os.ReadFile("../../examples/kubernetes/server.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Data map[string]string `yaml:"data"`
	}
	first, _, _ := strings.Cut(string(text), "\n---\n")
	if err := yaml.Unmarshal([]byte(first), &manifest); err != nil {
		t.Fatal(err)
	}
	o, err := app.Load(write(t, manifest.Data["eddy.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	if !o.Kubernetes.Watch || !slices.Equal(o.Kubernetes.Namespaces, []string{"shop"}) || o.Phases.Contracts == "" {
		t.Errorf("loaded %+v and %+v: want the cluster watched in shop, and contracts", o.Kubernetes, o.Phases)
	}
}

// With the # removed from the options that are not set, the file has all there
// are.
func TestTheExampleConfigurationHasEveryOption(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`(?m)^#(\S|  )`).ReplaceAllString(string(text), "$1")
	o, err := app.Load(write(t, all))
	if err != nil {
		t.Fatal(err)
	}
	missing(t, reflect.ValueOf(o), "", all)
	for _, tls := range []*string{
		&o.TLS.CertFile, &o.TLS.KeyFile, &o.TLS.ClientCAFile, &o.Ingest.TLS.CertFile, &o.Ingest.TLS.KeyFile, &o.Ingest.TLS.ClientCAFile,
	} {
		*tls = example // a file that exists
	}
	if err := o.Validate(); err != nil {
		t.Errorf("with every option set: %v", err)
	}
}

// missing reports the options that text does not set. A false, a 0 or an empty
// list may be a default, so these are looked up by name.
func missing(t *testing.T, v reflect.Value, option, text string) {
	t.Helper()
	switch {
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			name := v.Type().Field(i).Tag.Get("yaml")
			if name == "" {
				t.Errorf("%s.%s has no name in YAML", v.Type(), v.Type().Field(i).Name)
			}
			missing(t, v.Field(i), strings.TrimPrefix(option+"."+name, "."), text)
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		if v.Len() == 0 {
			t.Errorf("the example does not set %s", option)
			return
		}
		missing(t, v.Index(0), option+"[0]", text)
	case v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0:
		name := option[strings.LastIndexByte(option, '.')+1:]
		if !regexp.MustCompile(`(?m)^ *` + name + `: (false|0|\[\])$`).MatchString(text) {
			t.Errorf("the example does not set %s", option)
		}
	}
}

func TestConfigurationErrorsNameFileLineAndOption(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"# a line\nstepp: 10s\n", `:2: stepp: no such option: want one of analysis, data, drain,`},
		{"ingest:\n  bounds:\n    keyz: 3\n", `:3: ingest.bounds.keyz: no such option: want one of attributes, body_bytes,`},
		{"ingest:\n  bounds:\n    keys: many\n", `:3: ingest.bounds.keys: "many": want a whole number`},
		{"data: x\nstep: 10\n", `:2: step: "10": want a duration such as 10s, 15m, 24h or 14d`},
		{"step: soon\n", `:1: step: "soon": want a duration`},
		{"memory: 2GB\n", `:1: memory: "2GB": want a whole number, if it is of bytes with KiB, MiB or GiB`},
		{"memory: 9999999999GiB\n", `:1: memory: "9999999999GiB": want a whole number`},
		{"insecure_listen: yes\n", `:1: insecure_listen: "yes": want true or false`},
		{"analysis:\n  alpha: .nan\n", `:2: analysis.alpha: want one value`},
		{"data: [here]\n", `:1: data: want one value`},
		{"hosts: eddy.internal\n", `:1: hosts: want a list`},
		{"tls: cert.pem\n", `:1: tls: want options`},
		{"analysis:\n  roles:\n    - pattern: app.x\n      role: symptm\n", `:4: analysis.roles[0].role: role "symptm": want condition, measure, symptom, identity or ignored`},
		{"step: 1s\nstep: 2s\n", `mapping key "step" already defined`},
		{"tls: [\n", `: [1:6]`},
		{"step: 1s\n---\nstep: 2s\n", `:3: a second document: want one`},
	} {
		path := write(t, tt.text)
		_, err := app.Load(path)
		if err == nil || !strings.Contains(err.Error(), "config "+path) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Load(%q) = %v, want an error with %q", tt.text, err, tt.want)
		}
	}
}

func TestConfigurationValuesLoadAsTheyAreWritten(t *testing.T) {
	o, err := app.Load(write(t, `
data: 7
memory: 2147483648
drain: 1m30s
ingest:
  grpc: off
  bounds: {queue_bytes: 64MiB, keys: 30_000, future: 0s}
analysis:
  alpha: 1e-4
  request:
    objectives: [{entry: "gateway *", latency: 1.5s}]
retention: {spans: 2d}
tls:
`))
	if err != nil {
		t.Fatal(err)
	}
	want := app.Options{Data: "7", Memory: 2 << 30, Drain: 90 * time.Second}
	want.Ingest.GRPC = "off"
	want.Ingest.Bounds.QueueBytes, want.Ingest.Bounds.Keys = 64<<20, 30_000
	want.Analysis.Alpha = 1e-4
	want.Analysis.Request.Objectives = o.Analysis.Request.Objectives
	want.Retention.Spans = 48 * time.Hour
	if diff := cmp.Diff(want, o); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
	if got := o.Analysis.Request.Objectives; len(got) != 1 || got[0].Entry != "gateway *" || got[0].Latency != 1500*time.Millisecond {
		t.Errorf("objectives = %v", got)
	}
}

func TestAnEmptyConfigurationMeansTheDefaults(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing is set\n", "---\n", "null\n"} {
		o, err := app.Load(write(t, text))
		if err != nil {
			t.Errorf("Load(%q) = %v", text, err)
			continue
		}
		if diff := cmp.Diff(app.Options{}, o); diff != "" {
			t.Errorf("Load(%q) (-want +got):\n%s", text, diff)
		}
	}
}

func FuzzLoad(f *testing.F) {
	text, err := os.ReadFile(example)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add("tokens: [{name: a, role: ingest}]\nmemory: -1GiB\n")
	f.Add("a: &x [1]\nb: *x\n<<: {c: 1}\n")
	f.Fuzz(func(t *testing.T, text string) {
		o, err := app.Load(write(t, text))
		if err != nil && !reflect.ValueOf(o).IsZero() {
			t.Errorf("Load returned options with the error %v", err)
		}
	})
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "eddy.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
