package resource_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/gatehouse-id/gatehouse/resource"
)

// An API with one route that needs a permission. Who comes without a token is
// told what to bring.
func Example() {
	verifier, err := resource.New(resource.Config{
		Issuer:   "https://id.example.com",
		Audience: "https://posts.example.com",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	create := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := resource.FromContext(r.Context())
		fmt.Fprintf(w, "a post by %s", token.Subject)
	})
	mux := http.NewServeMux()
	mux.Handle("POST /posts", verifier.RequirePermission("posts:add")(create))

	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/posts", nil))
	fmt.Println(answer.Code)
	fmt.Println(answer.Header().Get("WWW-Authenticate"))
	// Output:
	// 401
	// Bearer realm="https://posts.example.com", scope="posts:add"
}

// A long answer ends when its token does: by time, or because it was taken back.
func ExampleVerifier_Done() {
	verifier, err := resource.New(resource.Config{
		Issuer:   "https://id.example.com",
		Audience: "https://posts.example.com",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer verifier.Close()
	events := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := resource.FromContext(r.Context())
		ended := verifier.Done(token)
		every := time.NewTicker(time.Second)
		defer every.Stop()
		for {
			select {
			case <-ended:
				return
			case <-r.Context().Done():
				return
			case now := <-every.C:
				fmt.Fprintf(w, "data: %s\n\n", now.Format(time.TimeOnly))
			}
		}
	})
	http.Handle("GET /events", verifier.RequireLogin(events))
}
