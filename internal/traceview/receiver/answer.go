package receiver

import (
	"fmt"
	"mime"
	"net/http"
	"strings"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/mqtrace/mqtrace/internal/traceview/otlp"
	"github.com/mqtrace/mqtrace/internal/traceview/store"
)

const (
	protobufType = "application/x-protobuf"
	jsonType     = "application/json"
)

// encoding is one of the two encodings of OTLP/HTTP. A response has the encoding of its
// request.
type encoding struct {
	contentType string
	success     string // the answer if there is nothing to report
	each        func([]byte, func(otlp.Decoded) error) error
	response    func(ptraceotlp.ExportResponse) ([]byte, error)
	status      func(proto.Message) ([]byte, error)
}

// parseContentType returns the encoding of a request. If it is not known, it returns JSON,
// which people can read.
func parseContentType(header string) (enc encoding, known bool) {
	mediaType, _, err := mime.ParseMediaType(header)

	if err == nil && mediaType == protobufType {
		return encoding{
			contentType: protobufType, success: "", each: otlp.EachProtobuf,
			response: ptraceotlp.ExportResponse.MarshalProto, status: proto.Marshal,
		}, true
	}

	enc = encoding{
		contentType: jsonType, success: "{}", each: otlp.EachJSON,
		response: ptraceotlp.ExportResponse.MarshalJSON, status: protojson.Marshal,
	}

	return enc, err == nil && mediaType == jsonType
}

// The codes of google.rpc.Code that apply here. OTLP/HTTP clients act on the HTTP status
// and may record these.
const (
	rpcInvalidArgument   = 3
	rpcPermissionDenied  = 7
	rpcResourceExhausted = 8
	rpcUnimplemented     = 12
	rpcUnavailable       = 14
)

func rpcCode(status int) int32 {
	switch status {
	case http.StatusForbidden:
		return rpcPermissionDenied
	case http.StatusMethodNotAllowed:
		return rpcUnimplemented
	case http.StatusRequestEntityTooLarge:
		return rpcResourceExhausted
	case http.StatusServiceUnavailable:
		return rpcUnavailable
	default:
		return rpcInvalidArgument
	}
}

// writeError answers with a google.rpc.Status.
func (e encoding) writeError(w http.ResponseWriter, status int, message string) {
	const longest = 512 // A decoder's message may quote the payload.

	if len(message) > longest {
		message = message[:longest]
	}

	body, _ := e.status(&statuspb.Status{Code: rpcCode(status), Message: strings.ToValidUTF8(message, "")})
	e.write(w, status, body) // Only invalid UTF-8 could fail, and its strings have none.
}

// writeResult answers a request that was received, and reports what was left out of it.
func (e encoding) writeResult(w http.ResponseWriter, result store.AddResult) {
	var reasons []string
	if result.Invalid > 0 {
		reasons = append(reasons,
			fmt.Sprintf("%d with a trace or span id that is all zeros or of the wrong length, or with too many parts", result.Invalid))
	}

	if result.Dropped > 0 {
		reasons = append(reasons, fmt.Sprintf("%d beyond the limits of the store", result.Dropped))
	}

	if len(reasons) == 0 {
		e.write(w, http.StatusOK, []byte(e.success))

		return
	}

	response := ptraceotlp.NewExportResponse()
	response.PartialSuccess().SetRejectedSpans(int64(result.Invalid) + int64(result.Dropped))
	response.PartialSuccess().SetErrorMessage("spans refused: " + strings.Join(reasons, "; "))

	body, _ := e.response(response)
	e.write(w, http.StatusOK, body)
}

func (e encoding) write(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", e.contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // The client is gone: there is no one to report to.
}

// Refuse answers a request that its server rejects, in the encoding of the request.
func Refuse(w http.ResponseWriter, r *http.Request, message string) {
	enc, _ := parseContentType(r.Header.Get("Content-Type"))
	enc.writeError(w, http.StatusForbidden, message)
}
