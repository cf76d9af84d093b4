using System.Text.Json.Serialization;

namespace BackupDr.Contracts;

/// <summary>Names a browser's session; not its token.</summary>
/// <param name="Value">A Guid.</param>
[JsonConverter(typeof(TypedIdJsonConverter<SessionId>))]
public readonly record struct SessionId(Guid Value) : ITypedId<SessionId>
{
    /// <inheritdoc/>
    public static string Prefix => "session";
    /// <inheritdoc/>
    public static SessionId From(Guid value) => new(value);
    /// <summary>Reads "session_…".</summary>
    /// <exception cref="BadInputException">It is no session id.</exception>
    public static SessionId Parse(string text) => TypedId.Parse<SessionId>(text);
    /// <inheritdoc/>
    public override string ToString() => TypedId.Format(this);
}

/// <summary>Names a request that needs a second person.</summary>
/// <param name="Value">A Guid v7, so ids sort by creation time.</param>
[JsonConverter(typeof(TypedIdJsonConverter<ApprovalId>))]
public readonly record struct ApprovalId(Guid Value) : ITypedId<ApprovalId>
{
    /// <inheritdoc/>
    public static string Prefix => "approval";
    /// <inheritdoc/>
    public static ApprovalId From(Guid value) => new(value);
    /// <summary>A new id of this moment.</summary>
    public static ApprovalId New(TimeProvider clock) => TypedId.New<ApprovalId>(clock);
    /// <summary>Reads "approval_…".</summary>
    /// <exception cref="BadInputException">It is no approval id.</exception>
    public static ApprovalId Parse(string text) => TypedId.Parse<ApprovalId>(text);
    /// <inheritdoc/>
    public override string ToString() => TypedId.Format(this);
}
