using System.Text.Json.Serialization;

namespace BackupDr.Contracts;

/// <summary>Names a host: a machine under protection.</summary>
/// <param name="Value">A Guid v7, so ids sort by creation time.</param>
[JsonConverter(typeof(TypedIdJsonConverter<HostId>))]
public readonly record struct HostId(Guid Value) : ITypedId<HostId>
{
    /// <inheritdoc/>
    public static string Prefix => "host";
    /// <inheritdoc/>
    public static HostId From(Guid value) => new(value);
    /// <summary>A new id of this moment.</summary>
    public static HostId New(TimeProvider clock) => TypedId.New<HostId>(clock);
    /// <summary>Reads "host_…".</summary>
    /// <exception cref="BadInputException">It is no host id.</exception>
    public static HostId Parse(string text) => TypedId.Parse<HostId>(text);
    /// <inheritdoc/>
    public override string ToString() => TypedId.Format(this);
}

/// <summary>Names a location: a place for objects at a site.</summary>
/// <param name="Value">A Guid v7, so ids sort by creation time.</param>
[JsonConverter(typeof(TypedIdJsonConverter<LocationId>))]
public readonly record struct LocationId(Guid Value) : ITypedId<LocationId>
{
    /// <inheritdoc/>
    public static string Prefix => "loc";
    /// <inheritdoc/>
    public static LocationId From(Guid value) => new(value);
    /// <summary>A new id of this moment.</summary>
    public static LocationId New(TimeProvider clock) => TypedId.New<LocationId>(clock);
    /// <summary>Reads "loc_…".</summary>
    /// <exception cref="BadInputException">It is no loc id.</exception>
    public static LocationId Parse(string text) => TypedId.Parse<LocationId>(text);
    /// <inheritdoc/>
    public override string ToString() => TypedId.Format(this);
}

/// <summary>Names a repository in the control plane; not the 64 hex characters of its config file.</summary>
/// <param name="Value">A Guid v7, so ids sort by creation time.</param>
[JsonConverter(typeof(TypedIdJsonConverter<RepositoryId>))]
public readonly record struct RepositoryId(Guid Value) : ITypedId<RepositoryId>
{
    /// <inheritdoc/>
    public static string Prefix => "repo";
    /// <inheritdoc/>
    public static RepositoryId From(Guid value) => new(value);
    /// <summary>A new id of this moment.</summary>
    public static RepositoryId New(TimeProvider clock) => TypedId.New<RepositoryId>(clock);
    /// <summary>Reads "repo_…".</summary>
    /// <exception cref="BadInputException">It is no repo id.</exception>
    public static RepositoryId Parse(string text) => TypedId.Parse<RepositoryId>(text);
    /// <inheritdoc/>
    public override string ToString() => TypedId.Format(this);
}

/// <summary>Names a policy.</summary>
/// <param name="Value">A Guid v7, so ids sort by creation time.</param>
[JsonConverter(typeof(TypedIdJsonConverter<PolicyId>))]
public readonly record struct PolicyId(Guid Value) : ITypedId<PolicyId>
{
    /// <inheritdoc/>
    public static string Prefix => "pol";
    /// <inheritdoc/>
    public static PolicyId From(Guid value) => new(value);
    /// <summary>A new id of this moment.</summary>
    public static PolicyId New(TimeProvider clock) => TypedId.New<PolicyId>(clock);
    /// <summary>Reads "pol_…".</summary>
    /// <exception cref="BadInputException">It is no pol id.</exception>
    public static PolicyId Parse(string text) => TypedId.Parse<PolicyId>(text);
    /// <inheritdoc/>
    public override string ToString() => TypedId.Format(this);
}

/// <summary>Names an item: one source of one host under one policy.</summary>
/// <param name="Value">A Guid v7, so ids sort by creation time.</param>
[JsonConverter(typeof(TypedIdJsonConverter<ItemId>))]
public readonly record struct ItemId(Guid Value) : ITypedId<ItemId>
{
    /// <inheritdoc/>
    public static string Prefix => "item";
    /// <inheritdoc/>
    public static ItemId From(Guid value) => new(value);
    /// <summary>A new id of this moment.</summary>
    public static ItemId New(TimeProvider clock) => TypedId.New<ItemId>(clock);
    /// <summary>Reads "item_…".</summary>
    /// <exception cref="BadInputException">It is no item id.</exception>
    public static ItemId Parse(string text) => TypedId.Parse<ItemId>(text);
    /// <inheritdoc/>
    public override string ToString() => TypedId.Format(this);
}

/// <summary>Names a run: one execution of a job.</summary>
/// <param name="Value">A Guid v7, so ids sort by creation time.</param>
[JsonConverter(typeof(TypedIdJsonConverter<RunId>))]
public readonly record struct RunId(Guid Value) : ITypedId<RunId>
{
    /// <inheritdoc/>
    public static string Prefix => "run";
    /// <inheritdoc/>
    public static RunId From(Guid value) => new(value);
    /// <summary>A new id of this moment.</summary>
    public static RunId New(TimeProvider clock) => TypedId.New<RunId>(clock);
    /// <summary>Reads "run_…".</summary>
    /// <exception cref="BadInputException">It is no run id.</exception>
    public static RunId Parse(string text) => TypedId.Parse<RunId>(text);
    /// <inheritdoc/>
    public override string ToString() => TypedId.Format(this);
}

/// <summary>Names a recovery point in the catalog; not restic's snapshot id, which changes when tags change.</summary>
/// <param name="Value">A Guid v7, so ids sort by creation time.</param>
[JsonConverter(typeof(TypedIdJsonConverter<RecoveryPointId>))]
public readonly record struct RecoveryPointId(Guid Value) : ITypedId<RecoveryPointId>
{
    /// <inheritdoc/>
    public static string Prefix => "point";
    /// <inheritdoc/>
    public static RecoveryPointId From(Guid value) => new(value);
    /// <summary>A new id of this moment.</summary>
    public static RecoveryPointId New(TimeProvider clock) => TypedId.New<RecoveryPointId>(clock);
    /// <summary>Reads "point_…".</summary>
    /// <exception cref="BadInputException">It is no point id.</exception>
    public static RecoveryPointId Parse(string text) => TypedId.Parse<RecoveryPointId>(text);
    /// <inheritdoc/>
    public override string ToString() => TypedId.Format(this);
}

/// <summary>Names a person who signs in.</summary>
/// <param name="Value">A Guid v7, so ids sort by creation time.</param>
[JsonConverter(typeof(TypedIdJsonConverter<UserId>))]
public readonly record struct UserId(Guid Value) : ITypedId<UserId>
{
    /// <inheritdoc/>
    public static string Prefix => "user";
    /// <inheritdoc/>
    public static UserId From(Guid value) => new(value);
    /// <summary>A new id of this moment.</summary>
    public static UserId New(TimeProvider clock) => TypedId.New<UserId>(clock);
    /// <summary>Reads "user_…".</summary>
    /// <exception cref="BadInputException">It is no user id.</exception>
    public static UserId Parse(string text) => TypedId.Parse<UserId>(text);
    /// <inheritdoc/>
    public override string ToString() => TypedId.Format(this);
}

/// <summary>Names an API key.</summary>
/// <param name="Value">A Guid v7, so ids sort by creation time.</param>
[JsonConverter(typeof(TypedIdJsonConverter<ApiKeyId>))]
public readonly record struct ApiKeyId(Guid Value) : ITypedId<ApiKeyId>
{
    /// <inheritdoc/>
    public static string Prefix => "key";
    /// <inheritdoc/>
    public static ApiKeyId From(Guid value) => new(value);
    /// <summary>A new id of this moment.</summary>
    public static ApiKeyId New(TimeProvider clock) => TypedId.New<ApiKeyId>(clock);
    /// <summary>Reads "key_…".</summary>
    /// <exception cref="BadInputException">It is no key id.</exception>
    public static ApiKeyId Parse(string text) => TypedId.Parse<ApiKeyId>(text);
    /// <inheritdoc/>
    public override string ToString() => TypedId.Format(this);
}

/// <summary>Names a join token; not the token itself.</summary>
/// <param name="Value">A Guid v7, so ids sort by creation time.</param>
[JsonConverter(typeof(TypedIdJsonConverter<JoinTokenId>))]
public readonly record struct JoinTokenId(Guid Value) : ITypedId<JoinTokenId>
{
    /// <inheritdoc/>
    public static string Prefix => "join";
    /// <inheritdoc/>
    public static JoinTokenId From(Guid value) => new(value);
    /// <summary>A new id of this moment.</summary>
    public static JoinTokenId New(TimeProvider clock) => TypedId.New<JoinTokenId>(clock);
    /// <summary>Reads "join_…".</summary>
    /// <exception cref="BadInputException">It is no join id.</exception>
    public static JoinTokenId Parse(string text) => TypedId.Parse<JoinTokenId>(text);
    /// <inheritdoc/>
    public override string ToString() => TypedId.Format(this);
}

/// <summary>Names a short interactive request to an agent.</summary>
/// <param name="Value">A Guid v7, so ids sort by creation time.</param>
[JsonConverter(typeof(TypedIdJsonConverter<RequestId>))]
public readonly record struct RequestId(Guid Value) : ITypedId<RequestId>
{
    /// <inheritdoc/>
    public static string Prefix => "req";
    /// <inheritdoc/>
    public static RequestId From(Guid value) => new(value);
    /// <summary>A new id of this moment.</summary>
    public static RequestId New(TimeProvider clock) => TypedId.New<RequestId>(clock);
    /// <summary>Reads "req_…".</summary>
    /// <exception cref="BadInputException">It is no req id.</exception>
    public static RequestId Parse(string text) => TypedId.Parse<RequestId>(text);
    /// <inheritdoc/>
    public override string ToString() => TypedId.Format(this);
}

/// <summary>Names an evidence record.</summary>
/// <param name="Value">A Guid v7, so ids sort by creation time.</param>
[JsonConverter(typeof(TypedIdJsonConverter<EvidenceId>))]
public readonly record struct EvidenceId(Guid Value) : ITypedId<EvidenceId>
{
    /// <inheritdoc/>
    public static string Prefix => "ev";
    /// <inheritdoc/>
    public static EvidenceId From(Guid value) => new(value);
    /// <summary>A new id of this moment.</summary>
    public static EvidenceId New(TimeProvider clock) => TypedId.New<EvidenceId>(clock);
    /// <summary>Reads "ev_…".</summary>
    /// <exception cref="BadInputException">It is no ev id.</exception>
    public static EvidenceId Parse(string text) => TypedId.Parse<EvidenceId>(text);
    /// <inheritdoc/>
    public override string ToString() => TypedId.Format(this);
}

/// <summary>Names an alert.</summary>
/// <param name="Value">A Guid v7, so ids sort by creation time.</param>
[JsonConverter(typeof(TypedIdJsonConverter<AlertId>))]
public readonly record struct AlertId(Guid Value) : ITypedId<AlertId>
{
    /// <inheritdoc/>
    public static string Prefix => "alert";
    /// <inheritdoc/>
    public static AlertId From(Guid value) => new(value);
    /// <summary>A new id of this moment.</summary>
    public static AlertId New(TimeProvider clock) => TypedId.New<AlertId>(clock);
    /// <summary>Reads "alert_…".</summary>
    /// <exception cref="BadInputException">It is no alert id.</exception>
    public static AlertId Parse(string text) => TypedId.Parse<AlertId>(text);
    /// <inheritdoc/>
    public override string ToString() => TypedId.Format(this);
}

/// <summary>Names a way to tell people.</summary>
/// <param name="Value">A Guid v7, so ids sort by creation time.</param>
[JsonConverter(typeof(TypedIdJsonConverter<ChannelId>))]
public readonly record struct ChannelId(Guid Value) : ITypedId<ChannelId>
{
    /// <inheritdoc/>
    public static string Prefix => "chan";
    /// <inheritdoc/>
    public static ChannelId From(Guid value) => new(value);
    /// <summary>A new id of this moment.</summary>
    public static ChannelId New(TimeProvider clock) => TypedId.New<ChannelId>(clock);
    /// <summary>Reads "chan_…".</summary>
    /// <exception cref="BadInputException">It is no chan id.</exception>
    public static ChannelId Parse(string text) => TypedId.Parse<ChannelId>(text);
    /// <inheritdoc/>
    public override string ToString() => TypedId.Format(this);
}

/// <summary>Names a message to a channel; its text is the idempotency key.</summary>
/// <param name="Value">A Guid v7, so ids sort by creation time.</param>
[JsonConverter(typeof(TypedIdJsonConverter<MessageId>))]
public readonly record struct MessageId(Guid Value) : ITypedId<MessageId>
{
    /// <inheritdoc/>
    public static string Prefix => "msg";
    /// <inheritdoc/>
    public static MessageId From(Guid value) => new(value);
    /// <summary>A new id of this moment.</summary>
    public static MessageId New(TimeProvider clock) => TypedId.New<MessageId>(clock);
    /// <summary>Reads "msg_…".</summary>
    /// <exception cref="BadInputException">It is no msg id.</exception>
    public static MessageId Parse(string text) => TypedId.Parse<MessageId>(text);
    /// <inheritdoc/>
    public override string ToString() => TypedId.Format(this);
}
