package auto

// The functions that only orchestrion.yml refers to.
var _ = []any{
	byHand, consumerMade, workerMade, middlewareMade, transportMade, publishStarted, publishEnded, deliveryInspected,
	channelFields, channelPublish, channelConsume, channelGet, channelSettle, channelClosed,
	clientEnqueue, serverConfig, serverHandler, schedulerOpts,
	serverServe, clientTransport,
	exit, providerSet, signalNotify,
}
