using System.Text.Json.Serialization;

namespace BackupDr.Contracts.Specs;

public sealed partial record StepSpec
{
    /// <summary>For <see cref="StepKind.Runbook"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ChildRunbookSpec? Runbook { get; init; }
}

/// <summary>For Runbook: another runbook, which is executed in the same mode.</summary>
public sealed record ChildRunbookSpec
{
    /// <summary>Its name. Which version is executed is decided when the execution begins that it is a part of.</summary>
    public string Name { get; init => field = value ?? ""; } = "";
}
