namespace BackupDr.Contracts.Api;

/// <summary>POST secrets/rotate: exchanges the sealing key, and seals everything anew while the nodes go on.</summary>
public sealed record RotateSecretsRequest;

/// <summary>GET secrets: which key there is, and how far its exchange is.</summary>
public sealed record ShowSecretRotationRequest;

/// <summary>How far an exchange of the sealing key is.</summary>
public enum RotationStep
{
    /// <summary>None is under way.</summary>
    None,
    /// <summary>The nodes put the next key into their key files.</summary>
    HandOver,
    /// <summary>Every node has it and begins to seal with it.</summary>
    Switch,
    /// <summary>What the former key sealed is sealed anew.</summary>
    Renewal,
}

/// <summary>The sealing key and its exchange.</summary>
public sealed record SecretRotation
{
    /// <summary>How far it is.</summary>
    public required RotationStep Step { get; init; }
    /// <summary>Values that are sealed with the newest key.</summary>
    public required long Sealed { get; init; }
    /// <summary>Values that are not yet.</summary>
    public required long Remaining { get; init; }
    /// <summary>Nodes that it waits for, by name.</summary>
    public IReadOnlyList<string> WaitsFor { get; init; } = [];
    /// <summary>When the exchange that is under way began.</summary>
    public DateTimeOffset? StartedAt { get; init; }
    /// <summary>When the present key came into use.</summary>
    public required DateTimeOffset UsedSince { get; init; }
}
