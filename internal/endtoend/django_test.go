package endtoend_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// django is examples/django-posts.
var django = example{
	name: "django-posts",
	command: func(t *testing.T, folder, port string) *exec.Cmd {
		cmd := exec.Command(findPython(t), "manage.py", "runserver", "--noreload", "127.0.0.1:"+port)
		cmd.Dir = folder
		return cmd
	},
	vectors: func(t *testing.T, folder, file string) *exec.Cmd {
		cmd := exec.Command(findPython(t), "vectors.py", file)
		cmd.Dir = folder
		return cmd
	},
}

func TestDjangoFollowsGatehouse(t *testing.T) { followsGatehouse(t, django) }

func TestDjangoFollowsTheWire(t *testing.T) { followsTheWire(t, django) }

func TestDjangoPassesTheVectors(t *testing.T) { passesTheVectors(t, django) }

// TestDjangoFollowsAfterAFork: servers that load the application and then fork leave
// each process to follow by itself, whatever its parent was doing at that moment.
func TestDjangoFollowsAfterAFork(t *testing.T) {
	f := feign(t)
	cmd := exec.Command(findPython(t), filepath.Join("testdata", "forked.py"), django.folder(t))
	cmd.Env = append(os.Environ(), "ISSUER="+f.url, "AUDIENCE="+f.audience, "API_CLIENT_ID="+f.api.ID,
		"API_CLIENT_SECRET="+f.api.Secret, "PYTHONDONTWRITEBYTECODE=1")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}

// findPython returns a Python that has what the example needs. Debian's packages
// belong to Debian's Python, which need not be the first in PATH.
func findPython(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		path, err := exec.LookPath(name)
		if err == nil && exec.Command(path, "-c", "import django, jwt, cryptography").Run() == nil {
			return path
		}
	}
	t.Fatal("no python3 with Django, PyJWT and cryptography; on Debian: apt-get install python3-django python3-jwt python3-cryptography (make test does it)")
	return ""
}
