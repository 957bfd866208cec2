package otelc

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// byOrchestrion are rules that otelc has no form for: see README.md.
var byOrchestrion = map[string]bool{
	"amqp.function.value":   true,
	"amqp.function.pointer": true,
	"gorabbitmq.function":   true,
}

// TestSameCode compares what the two tools weave.
func TestSameCode(t *testing.T) {
	want, got := woven(t), rules(t)
	for function, code := range want {
		if got[function] != code {
			t.Errorf("%s: otelc.yaml has\n%s\norchestrion.yml has\n%s", function, got[function], code)
		}
	}
	for function := range got {
		if _, ok := want[function]; !ok && !strings.HasPrefix(function, "runtime ") {
			t.Errorf("%s: only in otelc.yaml", function)
		}
	}
	if len(want) < 30 {
		t.Errorf("%d functions in orchestrion.yml", len(want))
	}
}

// TestSameDeclarations compares what the woven code calls.
func TestSameDeclarations(t *testing.T) {
	want := declarations(t, "../orchestrion.yml")
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]bool)
	for _, file := range files {
		maps.Copy(got, declarations(t, file))
	}
	if !maps.Equal(got, want) || len(want) == 0 {
		t.Errorf("got\n%s\nwant\n%s", sorted(got), sorted(want))
	}
}

func sorted(set map[string]bool) string {
	return strings.Join(slices.Sorted(maps.Keys(set)), "\n")
}

var declaration = regexp.MustCompile(`//go:linkname \S+ github.com/mqtrace/\S+\s+func .*`)

func declarations(t *testing.T, file string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	for _, d := range declaration.FindAllString(string(text), -1) {
		found[strings.Join(strings.Fields(d), " ")] = true
	}
	return found
}

func load(t *testing.T, file string, to any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, to); err != nil {
		t.Fatal(err)
	}
}

// The receivers and variables that otelc.yaml writes out.
var receiver = regexp.MustCompile(`\b(ch|c|s)(\.__mqtrace|\.consumers|\.Transport|\)|, )`)

func same(code string) string {
	code = receiver.ReplaceAllString(code, "RECEIVER$2")
	return strings.Join(strings.Fields(code), " ")
}

// rules returns the code of otelc.yaml by package, receiver and function.
func rules(t *testing.T) map[string]string {
	t.Helper()
	var file map[string]struct {
		Target string
		Where  struct{ Func, Recv string }
		Do     []struct {
			InjectCode struct{ Raw string } `yaml:"inject_code"`
		}
	}
	load(t, "otelc.yaml", &file)
	found := make(map[string]string)
	for name, rule := range file {
		if rule.Where.Func == "" {
			continue
		}
		if len(rule.Do) != 1 {
			t.Errorf("%s does %d things", name, len(rule.Do))
			continue
		}
		// Orchestrion adds Bootstrap itself.
		code := strings.TrimPrefix(rule.Do[0].InjectCode.Raw, "orchestrion.Bootstrap()\n")
		found[rule.Target+" "+rule.Where.Recv+" "+rule.Where.Func] = same(code)
	}
	return found
}

var placeholder = strings.NewReplacer(
	"{{ .Function.Receiver }}", "RECEIVER",
	"{{ .Function.Argument ", "{{ .FuncArgument ",
	"{{ .Function.Result ", "{{ .FuncReturn ",
)

// woven returns the code of orchestrion.yml in the same form.
func woven(t *testing.T) map[string]string {
	t.Helper()
	var file struct {
		Aspects []struct {
			ID        string
			JoinPoint struct {
				AllOf []struct {
					ImportPath   string `yaml:"import-path"`
					PackageName  string `yaml:"package-name"`
					FunctionBody struct {
						Function []struct {
							Name     string
							Receiver string
						}
					} `yaml:"function-body"`
				} `yaml:"all-of"`
			} `yaml:"join-point"`
			Advice []struct {
				Prepend struct{ Template string } `yaml:"prepend-statements"`
			}
		}
	}
	load(t, "../orchestrion.yml", &file)
	found := make(map[string]string)
	for _, aspect := range file.Aspects {
		if byOrchestrion[aspect.ID] {
			continue
		}
		var path, receiver, name string
		for _, point := range aspect.JoinPoint.AllOf {
			path += point.ImportPath + point.PackageName
			for _, f := range point.FunctionBody.Function {
				name += f.Name
				if i := strings.LastIndex(f.Receiver, "."); i >= 0 {
					path, receiver = strings.TrimPrefix(f.Receiver[:i], "*"), "*"+f.Receiver[i+1:]
				}
			}
		}
		for _, advice := range aspect.Advice {
			if name != "" && advice.Prepend.Template != "" {
				found[path+" "+receiver+" "+name] = same(placeholder.Replace(advice.Prepend.Template))
			}
		}
	}
	return found
}
