using System.Text.Json.Serialization;
using BackupDr.Contracts.Jobs;

namespace BackupDr.Contracts.Agents;

/// <summary>What a program on the same machine wants of the agent's program, where no node is there: a line of JSON on its input.</summary>
/// <remarks>A second line, "cancel", ends what is at work. The end of the input does not: who asked may be dead, and asks again.</remarks>
public sealed record LocalWork
{
    /// <summary>The host that it is meant for; another one refuses. Null for asking who this is.</summary>
    public HostId? Host { get; init; }
    /// <summary>A step of a runbook; null for another kind.</summary>
    public HostStep? Step { get; init; }
    /// <summary>A restore; null for another kind.</summary>
    public LeasedRun? Restore { get; init; }
    /// <summary>A tag: the newest snapshot with it is restored in the place of the one that the restore names, or up to a moment the
    /// server which that is of. Null for the one that it names.</summary>
    public string? NewestTag { get; init; }
}

/// <summary>What the agent's program says to it: a line of JSON on its output.</summary>
public sealed record LocalAnswer
{
    /// <summary>Who this host is.</summary>
    public HostId? Host { get; init; }
    /// <summary>Its name.</summary>
    public string? HostName { get; init; }
    /// <summary>Of a step.</summary>
    public HostStepReport? Report { get; init; }
    /// <summary>Of a restore.</summary>
    public JobResult? Result { get; init; }
    /// <summary>The snapshot that was restored.</summary>
    public string? Snapshot { get; init; }
    /// <summary>When that was taken.</summary>
    public DateTimeOffset? TakenAt { get; init; }
    /// <summary>Why nothing was done; null where something was.</summary>
    public JobError? Refused { get; init; }
}

/// <summary>JSON of these: camelCase, enums as words, nulls left out.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    MaxDepth = 32)]
[JsonSerializable(typeof(LocalWork))]
[JsonSerializable(typeof(LocalAnswer))]
public sealed partial class LocalJson : JsonSerializerContext;
