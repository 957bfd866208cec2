package traceview

import (
	"fmt"
	"mime"
	"net/http"
	"strings"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

const (
	protobufType = "application/x-protobuf"
	jsonType     = "application/json"
)

// encoding is one of the two forms of OTLP/HTTP. A response has the form of its
// request.
type encoding struct {
	contentType string
	decode      func([]byte) (Decoded, error)
	marshal     func(proto.Message) ([]byte, error)
}

// parseContentType returns the encoding of a request. Where it is not known, it
// returns JSON as well, which people can read.
func parseContentType(header string) (enc encoding, known bool) {
	mediaType, _, err := mime.ParseMediaType(header)

	if err == nil && mediaType == protobufType {
		return encoding{contentType: protobufType, decode: DecodeProtobuf, marshal: proto.Marshal}, true
	}

	enc = encoding{contentType: jsonType, decode: DecodeJSON, marshal: protojson.Marshal}

	return enc, err == nil && mediaType == jsonType
}

// The codes of google.rpc.Code that apply here. OTLP/HTTP clients go by the HTTP
// status and may record these.
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

	e.write(w, status, &statuspb.Status{Code: rpcCode(status), Message: strings.ToValidUTF8(message, "")})
}

// writeResult answers a request that was received, with what was left out of it.
func (e encoding) writeResult(w http.ResponseWriter, result AddResult) {
	response := &collectorpb.ExportTraceServiceResponse{}

	var reasons []string
	if result.Invalid > 0 {
		reasons = append(reasons,
			fmt.Sprintf("%d with a trace, span or parent id that is all zeros or of the wrong length", result.Invalid))
	}

	if result.Dropped > 0 {
		reasons = append(reasons, fmt.Sprintf("%d beyond the limits of the store", result.Dropped))
	}

	if len(reasons) > 0 {
		response.PartialSuccess = &collectorpb.ExportTracePartialSuccess{
			RejectedSpans: int64(result.Invalid) + int64(result.Dropped),
			ErrorMessage:  "spans refused: " + strings.Join(reasons, "; "),
		}
	}

	e.write(w, http.StatusOK, response)
}

func (e encoding) write(w http.ResponseWriter, status int, message proto.Message) {
	body, err := e.marshal(message)
	if err != nil { // Its strings are valid UTF-8, and nothing else can fail.
		body = nil
	}

	w.Header().Set("Content-Type", e.contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // The client is gone; nobody is left to tell.
}
