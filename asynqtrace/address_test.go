package asynqtrace_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hibiken/asynq"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

// parsed returns the options that asynq reads from a URI.
func parsed(t *testing.T, uri string) asynq.RedisConnOpt {
	t.Helper()
	opt, err := asynq.ParseRedisURI(uri)
	if err != nil {
		t.Fatal(err)
	}
	return opt
}

type foreignRedis struct{ asynq.RedisConnOpt }

// However Redis is configured, spans have its address and nothing else about it.
func TestServerAddress(t *testing.T) {
	const user, password = "alice", "s3cret"
	secret := asynq.RedisClientOpt{Addr: "redis.example:6380", Username: user, Password: password}
	var none *asynq.RedisClientOpt
	var noCluster *asynq.RedisClusterClientOpt
	for name, tt := range map[string]struct {
		option asynqtrace.Option
		want   string
	}{
		"not given":             {nil, ""},
		"given":                 {asynqtrace.WithServer("redis.example", 6380), "redis.example 6380"},
		"given without port":    {asynqtrace.WithServer("redis.example", 0), "redis.example"},
		"given without address": {asynqtrace.WithServer("", 6380), ""},
		"single":                {asynqtrace.WithRedis(secret), "redis.example 6380"},
		"single, by pointer":    {asynqtrace.WithRedis(&secret), "redis.example 6380"},
		"IPv6":                  {asynqtrace.WithRedis(asynq.RedisClientOpt{Addr: "[::1]:6379"}), "::1 6379"},
		"go-redis's default":    {asynqtrace.WithRedis(asynq.RedisClientOpt{}), "localhost 6379"},
		"socket":                {asynqtrace.WithRedis(asynq.RedisClientOpt{Network: "unix", Addr: "/run/redis.sock"}), "/run/redis.sock"},
		"URI":                   {asynqtrace.WithRedis(parsed(t, "redis://alice:s3cret@redis.example:6380/3")), "redis.example 6380"},
		"URI of a socket":       {asynqtrace.WithRedis(parsed(t, "redis-socket://alice:s3cret@/run/redis.sock")), "/run/redis.sock"},
		"Sentinel":              {asynqtrace.WithRedis(parsed(t, "redis-sentinel://alice:s3cret@a:1,b:2?master=m")), ""},
		"cluster, one address":  {asynqtrace.WithRedis(asynq.RedisClusterClientOpt{Addrs: []string{"redis.example:6380"}, Password: password}), "redis.example 6380"},
		"cluster, by pointer":   {asynqtrace.WithRedis(&asynq.RedisClusterClientOpt{Addrs: []string{"redis.example:6380"}}), "redis.example 6380"},
		"cluster, several":      {asynqtrace.WithRedis(asynq.RedisClusterClientOpt{Addrs: []string{"a:1", "b:2"}}), ""},
		"nil":                   {asynqtrace.WithRedis(nil), ""},
		"nil of a type":         {asynqtrace.WithRedis(none), ""},
		"nil cluster":           {asynqtrace.WithRedis(noCluster), ""},
		"of another type":       {asynqtrace.WithRedis(foreignRedis{secret}), ""},
		"URL by mistake":        {asynqtrace.WithRedis(asynq.RedisClientOpt{Addr: "redis://alice:s3cret@redis.example:6380"}), ""},
		"password by mistake":   {asynqtrace.WithRedis(asynq.RedisClientOpt{Addr: "alice:s3cret@redis.example"}), ""},
		"user by mistake":       {asynqtrace.WithRedis(asynq.RedisClientOpt{Addr: "s3cret@redis.example:6380"}), ""},
		"no port":               {asynqtrace.WithRedis(asynq.RedisClientOpt{Addr: "redis.example"}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, newEnv(t, startRedis(t)))
			s.ok(s.enqueue(asynq.NewTask("email:welcome", nil), tt.option))
			got := attributes(s.ours()[0])
			text := strings.TrimSpace(fmt.Sprint(valueOr(got["server.address"]), " ", valueOr(got["server.port"])))
			if text != tt.want {
				t.Errorf("server %q, want %q", text, tt.want)
			}
			if all := fmt.Sprint(got); strings.Contains(all, user) || strings.Contains(all, password) {
				t.Errorf("attributes %v", all)
			}
		})
	}
}

func valueOr(v any) any {
	if v == nil {
		return ""
	}
	return v
}

// The last of several options counts, unless it is empty; metrics have the address too.
func TestServerAddressEverywhere(t *testing.T) {
	t.Parallel()
	onRedis(t, func(t *testing.T, e *env) {
		s := newScene(t, e)
		server := []asynqtrace.Option{asynqtrace.WithRedis(s.redis), asynqtrace.WithServer("redis.example", 6380), asynqtrace.WithRedis(nil)}
		s.ok(s.enqueue(s.task(), server...))
		s.work(2, asynq.Config{}, returning(nil), server...)
		for _, span := range s.ours() {
			if got := attributes(span); got["server.address"] != "redis.example" || got["server.port"] != int64(6380) {
				t.Errorf("%s: %v", span.Name(), got)
			}
		}
		for name, sets := range s.attributeSets() {
			for _, set := range sets {
				if v, _ := set.Value("server.address"); v.AsString() != "redis.example" {
					t.Errorf("%s: %v", name, set.ToSlice())
				}
			}
		}
	})
}
