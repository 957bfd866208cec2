package amqptrace_test

import (
	"reflect"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// How a method of the host is covered: by a counterpart, "Type.Method" or a function of
// this package, or by one of these.
const (
	without    = "none, since " // publishes and stays untraced, for a reason
	noMessages = ""             // neither publishes nor consumes nor settles
	notSeen    = "not seen"     // settles by tag and not by delivery: documented
)

// Every method of amqp091-go's Channel, so that a method added by a release fails the test
// until somebody decides what it means for traces.
var channelMethods = map[string]string{
	"Publish":                               without + "it has no context; the host deprecates it for PublishWithContext",
	"PublishWithContext":                    "Publisher.PublishWithContext",
	"PublishWithDeferredConfirm":            without + "it has no context; PublishWithDeferredConfirmWithContext has",
	"PublishWithDeferredConfirmWithContext": "Publisher.PublishWithDeferredConfirmWithContext",
	"Consume":                               "Consumer.Deliveries",
	"ConsumeWithContext":                    "Consumer.Deliveries",
	"Get":                                   "Consumer.Get",

	"Ack":    notSeen,
	"Nack":   notSeen,
	"Reject": notSeen,

	"Cancel": noMessages, "Close": noMessages, "Confirm": noMessages, "ExchangeBind": noMessages,
	"ExchangeDeclare": noMessages, "ExchangeDeclarePassive": noMessages, "ExchangeDelete": noMessages,
	"ExchangeUnbind": noMessages, "Flow": noMessages, "GetNextPublishSeqNo": noMessages, "IsClosed": noMessages,
	"NotifyCancel": noMessages, "NotifyClose": noMessages, "NotifyConfirm": noMessages, "NotifyFlow": noMessages,
	"NotifyPublish": noMessages, "NotifyRecoveryCancel": noMessages, "NotifyReturn": noMessages,
	"NotifyStateChange": noMessages, "Qos": noMessages, "QueueBind": noMessages, "QueueDeclare": noMessages,
	"QueueDeclarePassive": noMessages, "QueueDelete": noMessages, "QueueInspect": noMessages,
	"QueuePurge": noMessages, "QueueUnbind": noMessages, "Reconnect": noMessages, "Recover": noMessages,
	"TopologyConfiguration": noMessages, "Tx": noMessages, "TxCommit": noMessages, "TxRollback": noMessages,
}

// A delivery settles by its acknowledger, which is wrapped.
var deliveryMethods = map[string]string{
	"Ack": "Consumer.Handler", "Nack": "Consumer.Handler", "Reject": "Consumer.Handler",
}

func TestEveryMethodOfTheHostIsAnswered(t *testing.T) {
	ours := map[string]reflect.Type{
		"Publisher": reflect.TypeFor[*amqptrace.Publisher](),
		"Consumer":  reflect.TypeFor[*amqptrace.Consumer](),
	}
	for _, host := range []struct {
		typ     reflect.Type
		methods map[string]string
	}{
		{reflect.TypeFor[*amqp.Channel](), channelMethods},
		{reflect.TypeFor[amqp.Delivery](), deliveryMethods},
	} {
		if host.typ.NumMethod() == 0 {
			t.Fatalf("%v has no methods", host.typ)
		}
		for i := range host.typ.NumMethod() {
			m := host.typ.Method(i)
			answer, ok := host.methods[m.Name]
			if !ok {
				t.Errorf("%v.%s is new: does it publish, consume or settle messages?", host.typ, m.Name)
			}
			name, method, isOurs := strings.Cut(answer, ".")
			if !isOurs {
				continue
			}
			if _, ok := ours[name].MethodByName(method); !ok {
				t.Errorf("%v.%s is said to be covered by %s, which does not exist", host.typ, m.Name, answer)
			}
		}
	}
}

// The counterparts have the host's own signatures: a publisher can replace the program's
// channel.
var (
	_ amqptrace.Channel = (*amqptrace.Publisher)(nil)
	_ interface {
		amqptrace.Channel
	} = (*amqp.Channel)(nil)
)

func TestSignaturesAreTheHosts(t *testing.T) {
	for _, name := range []string{"PublishWithContext", "PublishWithDeferredConfirmWithContext"} {
		host, _ := reflect.TypeFor[*amqp.Channel]().MethodByName(name)
		ours, ok := reflect.TypeFor[*amqptrace.Publisher]().MethodByName(name)
		if !ok {
			t.Errorf("no %s", name)
			continue
		}
		if h, o := signature(host.Type), signature(ours.Type); h != o {
			t.Errorf("%s is %s, the host's is %s", name, o, h)
		}
	}
}

// signature is a method's type without its receiver.
func signature(method reflect.Type) string {
	var b strings.Builder
	for i := 1; i < method.NumIn(); i++ {
		b.WriteString(method.In(i).String() + ", ")
	}
	b.WriteString("-> ")
	for i := range method.NumOut() {
		b.WriteString(method.Out(i).String() + ", ")
	}
	return b.String()
}
