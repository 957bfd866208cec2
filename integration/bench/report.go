package main

import (
	"cmp"
	_ "embed"
	"fmt"
	"html"
	"os"
	"regexp"
	"runtime"
	"strings"
	"text/template"
	"time"
)

// table returns a table in Markdown.
func table(all []contest) string {
	var b strings.Builder
	b.WriteString("| operation | contender | ns | ratio | bytes | allocations | instructions |\n|---|---|---|---|---|---|---|\n")
	for _, c := range all {
		for _, of := range c.contenders {
			fmt.Fprintf(&b, "| %s | %s | %.0f | %.2f | %.0f | %.0f | %s |\n", c.title(), of.name,
				of.nanoseconds, of.ratio, of.bytes, of.allocations, cmp.Or(of.instructions, "–"))
		}
	}
	return b.String()
}

//go:embed peers.md.tmpl
var pageTemplate string

var model = regexp.MustCompile(`(?m)^model name\s*: (.*?)\s*$`)

// page returns docs/peers.md.
func page(all []contest) (string, error) {
	cpuinfo, _ := os.ReadFile("/proc/cpuinfo") // exists on Linux only
	processor := string(model.FindSubmatch(append(cpuinfo, "\nmodel name: "+runtime.GOARCH...))[1])
	var b strings.Builder
	err := template.Must(template.New("page").Parse(pageTemplate)).Execute(&b, map[string]any{
		"Date": time.Now().Format("2 January 2006"), "Cores": runtime.NumCPU(), "Processor": processor,
		"Go": strings.TrimPrefix(runtime.Version(), "go"), "Table": table(all),
	})
	return b.String(), err
}

// The picture's dimensions, in pixels.
const (
	width, labels, scale = 760, 190, 180 // scale is the length of the bar for a ratio of 1
	bar, gap             = 16, 26
)

// plot draws the ratios.
func plot(all []contest) string {
	var b strings.Builder
	y := gap
	for _, c := range all {
		fmt.Fprintf(&b, `<text x="8" y="%d" font-weight="bold">%s</text>`+"\n", y, c.title())
		y += 8
		for _, of := range c.contenders {
			color := cmp.Or(map[kind]string{ours: "#2f6fb0"}[of.kind], "#9aa5b1")
			length := min(int(of.ratio*scale), width-labels-120)
			fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, labels-6, y+bar-4, html.EscapeString(of.name))
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`, labels, y, length, bar, color)
			fmt.Fprintf(&b, `<text x="%d" y="%d">%.2f (%.0f ns)</text>`+"\n", labels+length+4, y+bar-4, of.ratio, of.nanoseconds)
			y += bar + 4
		}
		y += gap
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">
<title>Time of one operation, relative to spans by hand</title>
<rect width="100%%" height="100%%" fill="#ffffff"/>
<line x1="%d" x2="%d" y1="0" y2="%d" stroke="#999999" stroke-dasharray="3 3"/>
`, width, y, labels+scale, labels+scale, y) + b.String() + "</svg>\n"
}
