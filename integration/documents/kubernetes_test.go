package documents_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// Kinds that are not Kubernetes' own have those documented fields that the page uses.
type (
	header struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
	}
	collector struct {
		header

		Spec struct {
			Mode        string         `json:"mode"`
			HostNetwork bool           `json:"hostNetwork"`
			Config      map[string]any `json:"config"`
		} `json:"spec"`
	}
	rabbitmqCluster struct {
		header

		Spec struct {
			Replicas int32 `json:"replicas"`
			RabbitMQ struct {
				AdditionalConfig  string   `json:"additionalConfig"`
				AdditionalPlugins []string `json:"additionalPlugins"`
			} `json:"rabbitmq"`
			Resources corev1.ResourceRequirements `json:"resources"`
		} `json:"spec"`
	}
	scaledObject struct {
		header

		Spec struct {
			ScaleTargetRef  struct{ Name string } `json:"scaleTargetRef"`
			MinReplicaCount int32                 `json:"minReplicaCount"`
			MaxReplicaCount int32                 `json:"maxReplicaCount"`
			Triggers        []struct {
				Type              string                `json:"type"`
				Metadata          map[string]string     `json:"metadata"`
				AuthenticationRef struct{ Name string } `json:"authenticationRef"`
			} `json:"triggers"`
		} `json:"spec"`
	}
	triggerAuthentication struct {
		header

		Spec struct {
			SecretTargetRef []struct{ Parameter, Name, Key string } `json:"secretTargetRef"`
		} `json:"spec"`
	}
)

var kinds = map[string]func() any{
	"apps/v1 Deployment":                              func() any { return new(appsv1.Deployment) },
	"opentelemetry.io/v1beta1 OpenTelemetryCollector": func() any { return new(collector) },
	"rabbitmq.com/v1beta1 RabbitmqCluster":            func() any { return new(rabbitmqCluster) },
	"keda.sh/v1alpha1 ScaledObject":                   func() any { return new(scaledObject) },
	"keda.sh/v1alpha1 TriggerAuthentication":          func() any { return new(triggerAuthentication) },
}

var yamlFence = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// manifests returns the objects on the page by kind.
func manifests(t *testing.T) map[string]any {
	t.Helper()
	page, err := os.ReadFile("../../docs/kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]any)
	for _, block := range yamlFence.FindAllStringSubmatch(string(page), -1) {
		for document := range strings.SplitSeq(block[1], "\n---\n") {
			var is metav1.TypeMeta
			if err := yaml.Unmarshal([]byte(document), &is); err != nil {
				t.Fatal(err)
			}
			kind := is.APIVersion + " " + is.Kind
			object, ok := kinds[kind]
			if !ok {
				t.Fatalf("unknown kind %q", kind)
			}
			into := object()
			if err := yaml.UnmarshalStrict([]byte(document), into); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
			found[is.Kind] = into
		}
	}
	return found
}

func TestManifests(t *testing.T) {
	if found := manifests(t); len(found) != len(kinds) {
		t.Errorf("%d kinds, want %d", len(found), len(kinds))
	}
}

var reference = regexp.MustCompile(`\$\((\w+)\)`)

// A variable refers only to those before it, and the attributes are as the SDK's resource
// detector would read them.
func TestEnvironmentOfTheDeployment(t *testing.T) {
	deployment := manifests(t)["Deployment"].(*appsv1.Deployment)
	defined := make(map[string]bool)
	for _, variable := range deployment.Spec.Template.Spec.Containers[0].Env {
		for _, name := range reference.FindAllStringSubmatch(variable.Value, -1) {
			if !defined[name[1]] {
				t.Errorf("%s refers to %s, which is not defined before it", variable.Name, name[1])
			}
		}
		defined[variable.Name] = true
		if variable.Name != "OTEL_RESOURCE_ATTRIBUTES" {
			continue
		}
		for pair := range strings.SplitSeq(variable.Value, ",") {
			if key, value, ok := strings.Cut(pair, "="); !ok || strings.ContainsAny(key+value, " \n") {
				t.Errorf("%q is not an attribute", pair)
			}
		}
	}
}

// The Collector's pipelines name what is configured, and nothing else is configured.
func TestPipelineOfTheCollector(t *testing.T) {
	config := manifests(t)["OpenTelemetryCollector"].(*collector).Spec.Config
	pipeline := config["service"].(map[string]any)["pipelines"].(map[string]any)["traces"].(map[string]any)
	for part, names := range pipeline {
		configured := config[part].(map[string]any)
		for _, name := range names.([]any) {
			if _, ok := configured[name.(string)]; !ok {
				t.Errorf("%s has no %s", part, name)
			}
		}
		if len(names.([]any)) != len(configured) {
			t.Errorf("the pipeline has %d %s, and %d are configured", len(names.([]any)), part, len(configured))
		}
	}
}

// The autoscaler refers to the other objects on the page.
func TestScaling(t *testing.T) {
	found := manifests(t)
	scaled := found["ScaledObject"].(*scaledObject)
	if name := found["Deployment"].(*appsv1.Deployment).Name; scaled.Spec.ScaleTargetRef.Name != name {
		t.Errorf("it scales %s, not %s", scaled.Spec.ScaleTargetRef.Name, name)
	}
	secret := found["RabbitmqCluster"].(*rabbitmqCluster).Name + "-default-user"
	if got := found["TriggerAuthentication"].(*triggerAuthentication).Spec.SecretTargetRef[0].Name; got != secret {
		t.Errorf("it reads the secret %s, not %s", got, secret)
	}
}
