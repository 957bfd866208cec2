package attributes_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// check compares what a package has emitted with the page.
func (e *emitted) check(t *testing.T, p page, pkg string) {
	t.Helper()
	common := p[pkg+" spans"]
	for _, name := range slices.Sorted(maps.Keys(e.attributes)) {
		if e.metrics[name] != "" {
			continue
		}
		table := pkg + " " + name
		if p[table] == nil {
			t.Errorf("%s has no table %q: write <!-- checked: %[2]s --> and one below", pageName, table)
			continue
		}
		rows := p[table]
		if e.spans[name] != nil { // links only have a table of their own
			rows = slices.Concat(common, rows)
		}
		e.checkAttributes(t, table, e.attributes[name], rows)
	}
	for table, rows := range p {
		name, ours := strings.CutPrefix(table, pkg+" ")
		if ours && e.attributes[name] == nil && !isOther(name) {
			t.Errorf("%s has a table %q of a span that nothing emits", pageName, table)
		}
		for _, r := range rows {
			values := pkg + " values of " + word(r["attribute"])
			if ours && strings.Contains(r["when"], "(#values)") && p[values] == nil {
				t.Errorf("%s lacks a table %q, to which %q leads", pageName, values, table)
			}
		}
	}
	e.checkSpans(t, p[pkg+" kinds"])
	e.checkMetrics(t, p[pkg+" metrics"], p[pkg+" metric attributes"])
	e.checkValues(t, p, pkg)
	later := make(set)
	for _, r := range p["later"] {
		for _, key := range words(r["attributes"]) {
			if r["package"] == pkg {
				later[r["span"]+": "+key] = true
			}
		}
	}
	same(t, "what comes later in "+pkg, later, e.later)
	listed := make(set)
	for _, r := range p["headers"] {
		if strings.Contains(r["written by"], pkg) {
			listed[word(r["header"])] = true
		}
	}
	same(t, "headers of "+pkg, listed, e.headers)
}

// isOther reports whether a table is anything but the attributes of one kind of span.
func isOther(name string) bool {
	return name == "spans" || name == "kinds" || name == "metrics" || name == "metric attributes" || strings.HasPrefix(name, "values of ")
}

func (e *emitted) checkAttributes(t *testing.T, table string, got map[string]string, rows []row) {
	t.Helper()
	listed := make(set)
	for _, r := range rows {
		key := word(r["attribute"])
		if listed[key] {
			t.Errorf("%s: %q has %s twice", pageName, table, key)
		}
		listed[key] = true
		checkRow(t, table, r)
		switch typ, ok := got[key]; {
		case !ok:
			t.Errorf("%s: %q lists %s, which was never emitted: remove the row, or have this test do what emits it",
				pageName, table, r["attribute"])
		case typ != r["type"]:
			t.Errorf("%s: %q says that %s is of type %s, and it is of type %s", pageName, table, key, r["type"], typ)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if !listed[key] {
			t.Errorf("%s: %q lacks an attribute that is emitted: add the row\n| `%s` | %s | when | level | `example` |",
				pageName, table, key, got[key])
		}
	}
}

// checkSpans compares the kinds of span with their table.
func (e *emitted) checkSpans(t *testing.T, rows []row) {
	t.Helper()
	listed, got := make(set), make(set)
	for _, r := range rows {
		for _, operation := range words(r["`messaging.operation.name`"]) {
			listed[r["span"]+": "+strings.ToLower(r["kind"])+" "+operation+" "+word(r["`messaging.operation.type`"])] = true
		}
	}
	for name, kinds := range e.spans {
		for kind := range kinds {
			got[name+": "+kind] = true
		}
	}
	same(t, "spans", listed, got)
}

func (e *emitted) checkMetrics(t *testing.T, metrics, attributes []row) {
	t.Helper()
	listed, got := make(set), make(set)
	var names []string
	for _, r := range metrics {
		if ours := strings.HasPrefix(word(r["metric"]), "mqtrace."); ours != (r["level"] == "ours") {
			t.Errorf("%s: the level of %s is %q", pageName, r["metric"], r["level"])
		}
		names = append(names, word(r["metric"]))
		listed[word(r["metric"])+": "+r["instrument"]+" "+word(r["unit"])] = true
	}
	for name, what := range e.metrics {
		got[name+": "+what] = true
	}
	same(t, "metrics", listed, got)
	rows := make(map[string][]row)
	for _, r := range attributes {
		of := words(r["metrics"])
		all := len(of) == 0 || strings.HasPrefix(r["metrics"], "all but")
		for _, name := range names {
			if slices.ContainsFunc(of, func(pattern string) bool { return matches(pattern, name) }) != all {
				rows[name] = append(rows[name], r)
			}
		}
	}
	for _, name := range names {
		e.checkAttributes(t, "metric attributes of "+name, e.attributes[name], rows[name])
	}
}

// matches reports whether a name is the pattern or, if that ends with *, begins with the rest.
func matches(pattern, name string) bool {
	prefix, wild := strings.CutSuffix(pattern, "*")
	return name == pattern || wild && strings.HasPrefix(name, prefix)
}

// checkValues compares the values of those attributes whose values the page lists.
func (e *emitted) checkValues(t *testing.T, p page, pkg string) {
	t.Helper()
	for table, rows := range p {
		key, found := strings.CutPrefix(table, pkg+" values of ")
		if !found {
			continue
		}
		listed := make(set)
		for _, r := range rows {
			for _, value := range words(r["value"]) {
				listed[value] = true
			}
		}
		same(t, table, listed, e.values[key])
	}
}

// same compares what the page lists with what is emitted.
func same(t *testing.T, what string, listed, got set) {
	t.Helper()
	for _, s := range got.sorted() {
		if !listed[s] {
			t.Errorf("%s, %s: %q is emitted and not listed: add it", pageName, what, s)
		}
	}
	for _, s := range listed.sorted() {
		if !got[s] {
			t.Errorf("%s, %s: %q is listed and was never emitted: remove it, or have this test do what emits it", pageName, what, s)
		}
	}
}
