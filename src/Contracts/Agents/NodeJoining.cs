namespace BackupDr.Contracts.Agents;

/// <summary>POST nodes/join on the agents' listener: a token becomes what a further node needs. Needs no client certificate.</summary>
/// <param name="Token">The token, as "node add" printed it.</param>
/// <param name="Name">The new node's name.</param>
public sealed record JoinNodeRequest(string Token, string Name)
{
    /// <summary>Shows no token.</summary>
    public override string ToString() => $"node {Name}";
}

/// <summary>The answer: what all nodes of an installation share.</summary>
public sealed record JoinNodeAnswer
{
    /// <summary>How the database is reached.</summary>
    public required string ConnectionString { get; init; }
    /// <summary>The sealing key, base64.</summary>
    public required string SealingKey { get; init; }
    /// <summary>How hosts reach the nodes; empty where each node has its own address.</summary>
    public string AgentsPublicUrl { get; init; } = "";
    /// <summary>The balancers before the nodes.</summary>
    public IReadOnlyList<string> TrustedProxies { get; init; } = [];
    /// <summary>Where this installation's nodes listen for the console.</summary>
    public string ConsoleUrl { get; init; } = "";
    /// <summary>Where they listen for agents.</summary>
    public string AgentsUrl { get; init; } = "";

    /// <summary>Shows no secret.</summary>
    public override string ToString() => "what a node needs";
}
