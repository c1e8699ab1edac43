package posts

import (
	"slices"
	"sync"
)

// maxPosts bounds the demo's memory.
const maxPosts = 1000

// Post is a post as the API shows it.
type Post struct {
	ID     int64  `json:"id"`
	Title  string `json:"title"`
	Body   string `json:"body"`
	Author string `json:"author"` // subject of the token that added it
}

// store keeps posts in memory, oldest first. It is safe for concurrent use.
type store struct {
	mu    sync.Mutex
	last  int64 // highest id ever given; ids are not used again
	posts []Post
}

func newStore() *store {
	s := &store{}
	for _, seed := range []Post{
		{Title: "Welcome", Body: "These posts come from an API that checked your app's access token by itself.", Author: "demo"},
		{Title: "Who may post", Body: "Whoever is in a group that holds posts:add, and let this app use it.", Author: "demo"},
		{Title: "Who may delete", Body: "Whoever holds posts:delete. Everybody else gets a 403 that says so.", Author: "demo"},
	} {
		s.add(seed)
	}
	return s
}

// list returns all posts; the slice is the caller's.
func (s *store) list() []Post {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Post{}, s.posts...)
}

func (s *store) get(id int64) (Post, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index(id)
	if i < 0 {
		return Post{}, false
	}
	return s.posts[i], true
}

// add keeps p under a new id. It returns false when the store is full.
func (s *store) add(p Post) (Post, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.posts) >= maxPosts {
		return Post{}, false
	}
	s.last++
	p.ID = s.last
	s.posts = append(s.posts, p)
	return p, true
}

// remove reports whether there was such a post.
func (s *store) remove(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index(id)
	if i < 0 {
		return false
	}
	s.posts = slices.Delete(s.posts, i, i+1)
	return true
}

func (s *store) index(id int64) int {
	return slices.IndexFunc(s.posts, func(p Post) bool { return p.ID == id })
}
