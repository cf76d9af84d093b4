namespace BackupDr.Contracts.Api;

/// <summary>How a node is.</summary>
public enum NodeState
{
    /// <summary>It serves, and does its part of the loops.</summary>
    Online,
    /// <summary>It takes no new work; what it holds comes to an end.</summary>
    Draining,
    /// <summary>It holds nothing more and may be stopped.</summary>
    Drained,
    /// <summary>It stopped in order.</summary>
    Stopped,
    /// <summary>Nothing was heard of it for ten seconds: the others do its part.</summary>
    Silent,
}

/// <summary>One start of a node.</summary>
public sealed record Node
{
    /// <summary>Its name among the nodes.</summary>
    public required string Name { get; init; }
    /// <summary>How it is.</summary>
    public required NodeState State { get; init; }
    /// <summary>Its program's version.</summary>
    public required string Version { get; init; }
    /// <summary>"Api", "Loops", "Console".</summary>
    public required IReadOnlyList<string> Roles { get; init; }
    /// <summary>Where agents reach it; empty for none.</summary>
    public required string AgentsUrl { get; init; }
    /// <summary>Where it listens for the console and the API.</summary>
    public required string ConsoleUrl { get; init; }
    /// <summary>Since when it runs.</summary>
    public required DateTimeOffset StartedAt { get; init; }
    /// <summary>When it was heard of last.</summary>
    public required DateTimeOffset LastSeenAt { get; init; }
    /// <summary>Since when it drains.</summary>
    public DateTimeOffset? DrainingAt { get; init; }
    /// <summary>Who asked for that.</summary>
    public string? DrainedBy { get; init; }
    /// <summary>Agents that wait at it for work.</summary>
    public int Agents { get; init; }
    /// <summary>Turns of loops that it is in the middle of.</summary>
    public int Loops { get; init; }
    /// <summary>How far its clock is before the database's, in milliseconds; over 1,000 firings may come late.</summary>
    public long SkewMs { get; init; }
}

/// <summary>GET nodes.</summary>
public sealed record ListNodesRequest;

/// <summary>POST nodes/{name}/drain: takes no new work from now on, or takes it again.</summary>
/// <param name="Name">The node's name.</param>
/// <param name="Undo">It is to take work again.</param>
public sealed record DrainNodeRequest(string Name = "", bool Undo = false);

/// <summary>DELETE nodes/{name}: forgets a node that does not run any more.</summary>
/// <param name="Name">The node's name.</param>
public sealed record RemoveNodeRequest(string Name);

/// <summary>POST nodes/tokens: lets one further node in.</summary>
public sealed record CreateNodeTokenRequest;

/// <summary>What lets one further node in within half an hour, once. Whoever has it gets all secrets of the installation.</summary>
/// <param name="Command">What is run on the new machine.</param>
/// <param name="Token">The token in it.</param>
/// <param name="ExpiresAt">Until when it works.</param>
/// <param name="Remark">What will not work as this node is set up; null for nothing.</param>
public sealed record NodeToken(string Command, string Token, DateTimeOffset ExpiresAt, string? Remark = null)
{
    /// <summary>Shows no token.</summary>
    public override string ToString() => $"a node's token until {ExpiresAt:u}";
}
