package cache_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/storage/cache"
	"github.com/google/go-cmp/cmp"
)

type readURL struct {
	Addrs                                  []string
	Cluster, TLS                           bool
	ServerName, Master, Username, Password string
	SentinelUsername, SentinelPassword     string
	DB                                     int
}

func TestParseURL(t *testing.T) {
	for raw, want := range map[string]readURL{
		"redis://localhost":             {Addrs: []string{"localhost:6379"}},
		"redis://10.0.0.1:7000/3":       {Addrs: []string{"10.0.0.1:7000"}, DB: 3},
		"redis://[::1]:7000/":           {Addrs: []string{"[::1]:7000"}},
		"redis://:p%40ss%2F@h":          {Addrs: []string{"h:6379"}, Password: "p@ss/"},
		"rediss://u:p@cache.example:1":  {Addrs: []string{"cache.example:1"}, TLS: true, ServerName: "cache.example", Username: "u", Password: "p"},
		"redis+sentinel://a,b:7,c/main": {Addrs: []string{"a:26379", "b:7", "c:26379"}, Master: "main"},
		"redis+sentinel://u:p@a/main/2": {Addrs: []string{"a:26379"}, Master: "main", Username: "u", Password: "p", DB: 2},
		"redis+cluster://a:1,b:2,c":     {Addrs: []string{"a:1", "b:2", "c:6379"}, Cluster: true},
		"rediss+cluster://u:p@a":        {Addrs: []string{"a:6379"}, Cluster: true, TLS: true, Username: "u", Password: "p"},
		"rediss+sentinel://a/main":      {Addrs: []string{"a:26379"}, Master: "main", TLS: true},
		"redis+sentinel://a/m?sentinel_username=u&sentinel_password=p%26": {Addrs: []string{"a:26379"}, Master: "m", SentinelUsername: "u", SentinelPassword: "p&"},
	} {
		o, err := cache.ParseURL(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		got := readURL{o.Addrs, o.IsClusterMode, o.TLSConfig != nil, "", o.MasterName, o.Username, o.Password, o.SentinelUsername, o.SentinelPassword, o.DB}
		if o.TLSConfig != nil {
			got.ServerName = o.TLSConfig.ServerName
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", raw, diff)
		}
	}
}

func TestOpenRedisRefusesBadURLs(t *testing.T) {
	for _, raw := range []string{
		"", "s3cret", "localhost:6379", "http://s3cret@h", "redis", "redis+magic://h", "rediss+sentinel+x://h/m", "unix:///s3cret",
		"redis://", "redis://:s3cret@", "redis://:s3cret@/0", "redis://:s3cret/x@h", "redis://:s3cret%zz@h", "redis://:s3cret@h:port", "redis://:s3cret@h:1:2",
		"redis://:s3cret@a,b", "redis://:s3cret@a,,b", "redis://:s3cret@h/x", "redis://:s3cret@h/-1", "redis://:s3cret@h/1/2", "redis://:s3cret@h#s3cret", "redis://:s3cret@h?db=s3cret",
		"redis+sentinel://:s3cret@a,b", "redis+sentinel://:s3cret@a/m/x", "redis+cluster://:s3cret@a,b/1", "redis+cluster://:s3cret@a,", "redis://:s3cret@::1", "redis://:s3cret@h?sentinel_password=s3cret",
	} {
		r, err := cache.OpenRedis(cache.RedisOptions{URL: raw})
		if err == nil {
			t.Errorf("%q was taken", raw)
			_ = r.Close()
			continue
		}
		if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: the error repeats it: %v", raw, err)
		}
	}
}
