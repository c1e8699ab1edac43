package provider

// ForgetClients makes the next request read its client.
func (p *Provider) ForgetClients() {
	p.clients.kept.mu.Lock()
	defer p.clients.kept.mu.Unlock()
	p.clients.kept.young, p.clients.kept.old = nil, nil
}
