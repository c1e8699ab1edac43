package provider

import "time"

// ForgetClients makes the next request read its client.
func (p *Provider) ForgetClients() {
	p.clients.kept.mu.Lock()
	defer p.clients.kept.mu.Unlock()
	p.clients.kept.young, p.clients.kept.old = nil, nil
}

// Narrow lets n refreshes run at once, and the others wait for so long.
func (p *Provider) Narrow(n int, patience time.Duration) {
	p.refreshes = crowd{places: make(chan struct{}, n), patience: patience}
}

// ForgetPermissions makes the next request read which APIs permissions belong to.
func (p *Provider) ForgetPermissions() {
	p.permissions.kept.mu.Lock()
	defer p.permissions.kept.mu.Unlock()
	p.permissions.kept.young, p.permissions.kept.old = nil, nil
}
