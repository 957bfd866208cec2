package amqpbroker

// TopicMatch exports the matching of topic keys to the tests.
func TopicMatch(pattern, key string) bool {
	return topicMatch(topicWords(pattern), topicWords(key))
}
