package main

import (
	"fmt"
	"html"
	"strings"
)

// The picture's measures, in pixels.
const (
	width, labels, scale = 760, 190, 90 // scale is the length of a ratio of one
	bar, gap             = 16, 26
)

// plot draws, for each operation and sampling, the ratios to spans by hand.
func plot(costs []cost) string {
	var b strings.Builder
	y := gap
	for _, operation := range operations {
		for _, sampling := range samplings {
			fmt.Fprintf(&b, `<text x="8" y="%d" font-weight="bold">%s, %s</text>`+"\n", y, operation, sampling)
			y += 8
			for _, c := range costs {
				if c.operation != operation || c.sampling != sampling {
					continue
				}
				drawBar(&b, y, c)
				y += bar + 4
			}
			y += gap
		}
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">
<title>Time of one operation, relative to spans by hand or to amqp091-go alone</title>
<rect width="100%%" height="100%%" fill="#ffffff"/>
<line x1="%d" x2="%d" y1="0" y2="%d" stroke="#999999" stroke-dasharray="3 3"/>
`, width, y, labels+scale, labels+scale, y) + b.String() + "</svg>\n"
}

func drawBar(b *strings.Builder, y int, c cost) {
	length, color := int(c.ratio*scale), "#9aa5b1"
	if strings.HasSuffix(c.name, "amqptrace") {
		color = "#2f6fb0"
	}
	text := fmt.Sprintf("%.2f (%.0f ns)", c.ratio, c.nanoseconds)
	if longest := width - labels - 120; length > longest {
		length, text = longest, "… "+text
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, labels-6, y+bar-4, html.EscapeString(c.name))
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`, labels, y, length, bar, color)
	fmt.Fprintf(b, `<text x="%d" y="%d">%s</text>`+"\n", labels+length+4, y+bar-4, text)
}
