package amqpbroker

// methodID is a class id and a method id, as on the wire.
type methodID uint32

const (
	connectionStart        methodID = 10<<16 | 10
	connectionStartOk      methodID = 10<<16 | 11
	connectionTune         methodID = 10<<16 | 30
	connectionTuneOk       methodID = 10<<16 | 31
	connectionOpen         methodID = 10<<16 | 40
	connectionOpenOk       methodID = 10<<16 | 41
	connectionClose        methodID = 10<<16 | 50
	connectionCloseOk      methodID = 10<<16 | 51
	connectionBlocked      methodID = 10<<16 | 60
	connectionUnblocked    methodID = 10<<16 | 61
	connectionUpdateSecret methodID = 10<<16 | 70
	connectionSecretOk     methodID = 10<<16 | 71

	channelOpen    methodID = 20<<16 | 10
	channelOpenOk  methodID = 20<<16 | 11
	channelFlow    methodID = 20<<16 | 20
	channelFlowOk  methodID = 20<<16 | 21
	channelClose   methodID = 20<<16 | 40
	channelCloseOk methodID = 20<<16 | 41

	accessRequest   methodID = 30<<16 | 10
	accessRequestOk methodID = 30<<16 | 11

	exchangeDeclare   methodID = 40<<16 | 10
	exchangeDeclareOk methodID = 40<<16 | 11
	exchangeDelete    methodID = 40<<16 | 20
	exchangeDeleteOk  methodID = 40<<16 | 21
	exchangeBind      methodID = 40<<16 | 30
	exchangeBindOk    methodID = 40<<16 | 31
	exchangeUnbind    methodID = 40<<16 | 40
	exchangeUnbindOk  methodID = 40<<16 | 51

	queueDeclare   methodID = 50<<16 | 10
	queueDeclareOk methodID = 50<<16 | 11
	queueBind      methodID = 50<<16 | 20
	queueBindOk    methodID = 50<<16 | 21
	queuePurge     methodID = 50<<16 | 30
	queuePurgeOk   methodID = 50<<16 | 31
	queueDelete    methodID = 50<<16 | 40
	queueDeleteOk  methodID = 50<<16 | 41
	queueUnbind    methodID = 50<<16 | 50
	queueUnbindOk  methodID = 50<<16 | 51

	basicQos          methodID = 60<<16 | 10
	basicQosOk        methodID = 60<<16 | 11
	basicConsume      methodID = 60<<16 | 20
	basicConsumeOk    methodID = 60<<16 | 21
	basicCancel       methodID = 60<<16 | 30
	basicCancelOk     methodID = 60<<16 | 31
	basicPublish      methodID = 60<<16 | 40
	basicReturn       methodID = 60<<16 | 50
	basicDeliver      methodID = 60<<16 | 60
	basicGet          methodID = 60<<16 | 70
	basicGetOk        methodID = 60<<16 | 71
	basicGetEmpty     methodID = 60<<16 | 72
	basicAck          methodID = 60<<16 | 80
	basicReject       methodID = 60<<16 | 90
	basicRecoverAsync methodID = 60<<16 | 100
	basicRecover      methodID = 60<<16 | 110
	basicRecoverOk    methodID = 60<<16 | 111
	basicNack         methodID = 60<<16 | 120

	confirmSelect   methodID = 85<<16 | 10
	confirmSelectOk methodID = 85<<16 | 11

	txSelect     methodID = 90<<16 | 10
	txSelectOk   methodID = 90<<16 | 11
	txCommit     methodID = 90<<16 | 20
	txCommitOk   methodID = 90<<16 | 21
	txRollback   methodID = 90<<16 | 30
	txRollbackOk methodID = 90<<16 | 31
)

func (m methodID) class() uint16  { return uint16(m >> 16) }
func (m methodID) method() uint16 { return uint16(m) }

// Frame types, and the octet that ends each frame.
const (
	frameMethod    = 1
	frameHeader    = 2
	frameBody      = 3
	frameHeartbeat = 8
	frameEnd       = 0xCE

	frameHeaderSize = 7 // type, channel, size
	frameOverhead   = frameHeaderSize + 1
	classBasic      = 60
)

// operation carries out a channel method. It reads all of its arguments before it
// does anything, so that malformed ones have no effect.
type operation func(*channel, *decoder) error

// operations are the methods that a client may send on an open channel, except
// basic.publish, which carries content.
var operations map[methodID]operation

func init() {
	operations = map[methodID]operation{
		channelFlow:       (*channel).flow,
		accessRequest:     (*channel).accessRequest,
		exchangeDeclare:   (*channel).exchangeDeclare,
		exchangeDelete:    (*channel).exchangeDelete,
		exchangeBind:      (*channel).exchangeBind,
		exchangeUnbind:    (*channel).exchangeUnbind,
		queueDeclare:      (*channel).queueDeclare,
		queueBind:         (*channel).queueBind,
		queuePurge:        (*channel).queuePurge,
		queueDelete:       (*channel).queueDelete,
		queueUnbind:       (*channel).queueUnbind,
		basicQos:          (*channel).basicQos,
		basicConsume:      (*channel).basicConsume,
		basicCancel:       (*channel).basicCancel,
		basicGet:          (*channel).basicGet,
		basicAck:          (*channel).basicAck,
		basicReject:       (*channel).basicReject,
		basicNack:         (*channel).basicNack,
		basicRecoverAsync: (*channel).basicRecoverAsync,
		basicRecover:      (*channel).basicRecover,
		confirmSelect:     (*channel).confirmSelect,
		txSelect:          (*channel).txSelect,
		txCommit:          (*channel).txCommit,
		txRollback:        (*channel).txRollback,
	}
}

// known has all methods, including those that only a server sends.
var known = map[methodID]bool{}

func init() {
	for class, methods := range map[methodID][]methodID{
		10: {10, 11, 20, 21, 30, 31, 40, 41, 50, 51, 60, 61, 70, 71},
		20: {10, 11, 20, 21, 40, 41},
		30: {10, 11},
		40: {10, 11, 20, 21, 30, 31, 40, 51},
		50: {10, 11, 20, 21, 30, 31, 40, 41, 50, 51},
		60: {10, 11, 20, 21, 30, 31, 40, 50, 60, 70, 71, 72, 80, 90, 100, 110, 111, 120},
		85: {10, 11},
		90: {10, 11, 20, 21, 30, 31},
	} {
		for _, method := range methods {
			known[class<<16|method] = true
		}
	}
}
