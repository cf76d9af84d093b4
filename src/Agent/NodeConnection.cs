using BackupDr.Contracts.Agents;

namespace BackupDr.Agent;

/// <summary>The node we talk to: one of several addresses, changed when it cannot be reached, with the newest certificate.</summary>
public sealed class NodeConnection(AgentIdentity identity) : IDisposable
{
    readonly Lock _gate = new();
    readonly List<AgentApiClient> _old = [];
    AgentApiClient? _client;
    int _next;

    /// <summary>The client to use now.</summary>
    public AgentApiClient Client
    {
        get
        {
            var urls = identity.Membership.Urls;
            lock (_gate)
                return _client ??= AgentApiClient.Joined(new Uri(urls[_next % urls.Count]), identity.Authority, identity.Certificate);
        }
    }

    /// <summary>Turns to the next address, or uses a renewed certificate, from the next call on. Calls under way end with the old
    /// one.</summary>
    public void Renew()
    {
        lock (_gate)
        {
            if (_client is not null) _old.Add(_client);
            while (_old.Count > 4)
            {
                _old[0].Dispose();   // calls last at most 50 seconds, and this one was left four turns ago
                _old.RemoveAt(0);
            }
            _client = null;
            _next++;
        }
    }

    /// <summary>Closes all.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            foreach (var client in _old) client.Dispose();
            _client?.Dispose();
        }
    }
}
