package page

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed web
var webFiles embed.FS

// registerFiles serves the page at / and its assets below /assets/.
func registerFiles(mux *http.ServeMux) {
	files, err := fs.Sub(webFiles, "web")
	if err != nil { // "web" is a valid path.
		panic(err)
	}

	mux.Handle("GET /assets/", http.StripPrefix("/assets/", http.FileServerFS(files)))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, files, "index.html")
	})
}
