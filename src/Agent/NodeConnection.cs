using System.Security.Cryptography;
using BackupDr.Contracts.Agents;

namespace BackupDr.Agent;

/// <summary>The node we talk to: one of several addresses. Turned to the next when it fails, and back to our own when that is well
/// again.</summary>
/// <remarks>All nodes are equal. Each agent has one that it prefers, by its host's id, so that a fleet spreads over the nodes and does not
/// stay on those that survived.</remarks>
public sealed class NodeConnection(AgentIdentity identity, TimeProvider clock) : IDisposable
{
    /// <summary>How long we stay with another node before the preferred one is tried again.</summary>
    internal static readonly TimeSpan ReturnAfter = TimeSpan.FromSeconds(30);
    const int LeftOpen = 4;

    readonly Lock _gate = new();
    readonly List<AgentApiClient> _old = [];
    AgentApiClient? _client;
    int _turns;
    long _turnedAt;

    /// <summary>The client to use now.</summary>
    public AgentApiClient Client
    {
        get
        {
            lock (_gate)
            {
                if (_turns > 0 && clock.GetElapsedTime(_turnedAt) >= ReturnAfter) Leave(0);
                return _client ??= AgentApiClient.Joined(new Uri(Address()), identity.Authority, identity.Certificate, Failed);
            }
        }
    }

    string Address()
    {
        var urls = identity.Membership.Urls;
        return urls[(int)(((uint)_turns + Preferred(identity.Membership)) % (uint)urls.Count)];
    }

    /// <summary>Which of its nodes' addresses an agent prefers. Addresses that only joining knew come after those that nodes told, and
    /// are not preferred.</summary>
    internal static uint Preferred(Membership membership)
    {
        var told = membership.Told is > 0 and var count ? (uint)count : 1;
        return BitConverter.ToUInt32(SHA256.HashData(membership.Host.Value.ToByteArray())) % told;
    }

    /// <summary>Turns to the next address from the next call on; calls under way end with the old one. A client that was left already
    /// turns nothing.</summary>
    public void Failed(AgentApiClient client)
    {
        lock (_gate)
            if (ReferenceEquals(client, _client)) Leave(_turns + 1);
    }

    /// <summary>Uses a renewed certificate or a new list of addresses from the next call on.</summary>
    public void Renew()
    {
        lock (_gate) Leave(_turns);
    }

    void Leave(int turns)
    {
        (_turns, _turnedAt) = (turns, clock.GetTimestamp());
        if (_client is not null) _old.Add(_client);
        while (_old.Count > LeftOpen)
        {
            _old[0].Dispose();   // its calls last seconds, and it was left four turns ago
            _old.RemoveAt(0);
        }
        _client = null;
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
