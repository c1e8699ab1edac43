package cache

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// oldestRedis is the oldest major version that tests run on.
const oldestRedis = 7

// Finding is something about Redis that an operator should change.
type Finding struct {
	Problem string
	Remedy  string
	Fatal   bool // nothing works before it is changed; otherwise it works less well
}

// Check looks at every master and says what is wrong, for the doctor. Nothing
// found is nil.
func (r *Redis) Check(ctx context.Context) []Finding {
	var mu sync.Mutex
	var out []Finding
	look := func(ctx context.Context, c redis.Cmdable) error {
		found := checkNode(ctx, c)
		mu.Lock()
		defer mu.Unlock()
		out = append(out, found...)
		return nil
	}
	// Several questions, and an operator who can wait.
	ctx, cancel := context.WithTimeout(ctx, 20*r.timeout)
	defer cancel()
	cluster, ok := r.client.(*redis.ClusterClient)
	if !ok {
		_ = look(ctx, r.client) // look returns no error
		return out
	}
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error { return look(ctx, c) })
	if err != nil {
		out = append(out, unreachable(err))
	}
	return out
}

func unreachable(err error) Finding {
	return Finding{
		Problem: fmt.Sprintf("Redis does not answer: %v", err),
		Remedy:  "check GATEHOUSE_REDIS_URL, the network and the user's password; until then the database takes over",
		Fatal:   true,
	}
}

func checkNode(ctx context.Context, c redis.Cmdable) []Finding {
	info, err := c.Info(ctx).Result()
	if err != nil {
		return []Finding{unreachable(err)}
	}
	facts := map[string]string{}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		facts[name] = value
	}
	var out []Finding
	version, _, _ := strings.Cut(facts["redis_version"], ".")
	if major, err := strconv.Atoi(version); err != nil || major < oldestRedis {
		out = append(out, Finding{
			Problem: fmt.Sprintf("Redis says it is version %q", clip(facts["redis_version"])),
			Remedy:  fmt.Sprintf("use Redis %d or later", oldestRedis),
		})
	}
	if facts["role"] == "slave" {
		out = append(out, Finding{
			Problem: "Redis is a replica and cannot be written to",
			Remedy:  "name the master, or the sentinels with redis+sentinel://",
			Fatal:   true,
		})
	}
	if policy := facts["maxmemory_policy"]; policy != "noeviction" {
		out = append(out, Finding{
			Problem: fmt.Sprintf("Redis drops keys when its memory is full (maxmemory-policy %s): limits start anew and sign-ins under way are lost", clip(policy)),
			Remedy:  "set maxmemory-policy noeviction",
		})
	}
	return out
}

// clip bounds what a server says about itself.
func clip(s string) string { return s[:min(len(s), 64)] }
