using System.Text.Json.Serialization;

namespace BackupDr.Contracts;

/// <summary>Names a runbook.</summary>
/// <param name="Value">A Guid v7, so ids sort by creation time.</param>
[JsonConverter(typeof(TypedIdJsonConverter<RunbookId>))]
public readonly record struct RunbookId(Guid Value) : ITypedId<RunbookId>
{
    /// <inheritdoc/>
    public static string Prefix => "book";
    /// <inheritdoc/>
    public static RunbookId From(Guid value) => new(value);
    /// <summary>A new id of this moment.</summary>
    public static RunbookId New(TimeProvider clock) => TypedId.New<RunbookId>(clock);
    /// <summary>Reads "book_…".</summary>
    /// <exception cref="BadInputException">It is no runbook id.</exception>
    public static RunbookId Parse(string text) => TypedId.Parse<RunbookId>(text);
    /// <inheritdoc/>
    public override string ToString() => TypedId.Format(this);
}

/// <summary>Names an execution of a runbook.</summary>
/// <param name="Value">A Guid v7, so ids sort by creation time.</param>
[JsonConverter(typeof(TypedIdJsonConverter<ExecutionId>))]
public readonly record struct ExecutionId(Guid Value) : ITypedId<ExecutionId>
{
    /// <inheritdoc/>
    public static string Prefix => "exec";
    /// <inheritdoc/>
    public static ExecutionId From(Guid value) => new(value);
    /// <summary>A new id of this moment.</summary>
    public static ExecutionId New(TimeProvider clock) => TypedId.New<ExecutionId>(clock);
    /// <summary>Reads "exec_…".</summary>
    /// <exception cref="BadInputException">It is no execution id.</exception>
    public static ExecutionId Parse(string text) => TypedId.Parse<ExecutionId>(text);
    /// <inheritdoc/>
    public override string ToString() => TypedId.Format(this);
}
