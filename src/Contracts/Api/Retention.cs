using BackupDr.Contracts.Rules.Retention;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Api;

/// <summary>A legal hold on a recovery point.</summary>
/// <param name="At">Since when.</param>
/// <param name="By">Who put it.</param>
/// <param name="Reason">Why.</param>
public sealed record PointHold(DateTimeOffset At, string By, string Reason);

/// <summary>POST points/{id}/hold: it is not forgotten until the hold is lifted.</summary>
/// <param name="Id">The point, from the path.</param>
/// <param name="Reason">Why; 1 to 500 characters.</param>
public sealed record HoldPointRequest(RecoveryPointId Id, string Reason);

/// <summary>POST points/{id}/hold/lift.</summary>
/// <param name="Id">The point, from the path.</param>
/// <param name="Reason">Why; 1 to 500 characters.</param>
public sealed record LiftPointHoldRequest(RecoveryPointId Id, string Reason);

/// <summary>POST points/{id}/take-out: takes it out of the trash. It stays for 30 days at least, whatever the rules say.</summary>
/// <param name="Id">The point.</param>
public sealed record TakeOutPointRequest(RecoveryPointId Id);

/// <summary>GET items/{id}/retention.</summary>
/// <param name="Id">The item.</param>
public sealed record ShowItemRetentionRequest(ItemId Id);

/// <summary>POST items/{id}/retention/hold: nothing of the item is forgotten until a person lifts it.</summary>
/// <param name="Id">The item, from the path.</param>
/// <param name="Reason">Why; 1 to 500 characters.</param>
public sealed record HoldItemRequest(ItemId Id, string Reason);

/// <summary>POST items/{id}/retention/lift: retention goes on with its next look, which is at once.</summary>
/// <param name="Id">The item, from the path.</param>
/// <param name="Reason">Why; 1 to 500 characters.</param>
public sealed record LiftItemHoldRequest(ItemId Id, string Reason);

/// <summary>Why nothing of an item is forgotten for now.</summary>
/// <param name="At">Since when.</param>
/// <param name="By">Who stopped it; "system" for something unusual about a new point.</param>
/// <param name="Reason">Why.</param>
/// <param name="Point">The point that was unusual; null where a person stopped it.</param>
public sealed record RetentionHold(DateTimeOffset At, string By, string Reason, RecoveryPointId? Point);

/// <summary>What retention says of an item and its points now.</summary>
public sealed record ItemRetention
{
    /// <summary>The item.</summary>
    public required ItemId Item { get; init; }
    /// <summary>The rules of its policy in words.</summary>
    public required string Sentence { get; init; }
    /// <summary>Why nothing of it is forgotten for now; null where that is not so.</summary>
    public RetentionHold? Hold { get; init; }
    /// <summary>Why nobody may remove anything from its repository; null where somebody may.</summary>
    public string? Problem { get; init; }
    /// <summary>When retention looked at it last.</summary>
    public DateTimeOffset? LookedAt { get; init; }
    /// <summary>When it looks next.</summary>
    public DateTimeOffset? DueAt { get; init; }
    /// <summary>The points that are there, newest received first.</summary>
    public IReadOnlyList<PointRetention> Points { get; init; } = [];
}

/// <summary>What retention says of a recovery point.</summary>
public sealed record PointRetention
{
    /// <summary>The point.</summary>
    public required RecoveryPointId Id { get; init; }
    /// <summary>When the node learned of it: by this the rules count.</summary>
    public required DateTimeOffset ReceivedAt { get; init; }
    /// <summary>What keeps it; empty where nothing does.</summary>
    public IReadOnlyList<KeepReason> Reasons { get; init; } = [];
    /// <summary>When nothing will keep it any more, if all goes on as the schedule says; null where that is more than 400 days away, or
    /// where it is so now.</summary>
    public DateTimeOffset? DropsAt { get; init; }
    /// <summary>When it leaves the trash for good; null where it is not in it.</summary>
    public DateTimeOffset? TrashUntil { get; init; }
    /// <summary>The same in one sentence.</summary>
    public required string Words { get; init; }
    /// <summary>Bytes that the repository grew by for it.</summary>
    public long BytesAdded { get; init; }
}

/// <summary>What a change of the rules would cost.</summary>
public sealed record RetentionLoss
{
    /// <summary>Recovery points that are kept now and would not be.</summary>
    public required int Points { get; init; }
    /// <summary>Bytes that the repositories grew by for them; what other points share with them stays.</summary>
    public required long Bytes { get; init; }
    /// <summary>When the oldest of them was received.</summary>
    public DateTimeOffset? Oldest { get; init; }
    /// <summary>Names of the items that they belong to.</summary>
    public IReadOnlyList<string> Items { get; init; } = [];
    /// <summary>The first day on which one of them goes for good.</summary>
    public DateTimeOffset? FirstGoesAt { get; init; }
}

/// <summary>A point in the picture of a policy's retention, as its schedule makes them.</summary>
/// <param name="At">When it is received.</param>
/// <param name="Reasons">What keeps it; empty where only the rules before the change do.</param>
/// <param name="DropsAt">When nothing keeps it any more; null where that is more than 400 days away.</param>
/// <param name="Change">Whether a change of the rules gains or loses it.</param>
public sealed record PicturedPoint(DateTimeOffset At, IReadOnlyList<KeepReason> Reasons, DateTimeOffset? DropsAt,
    PictureChange Change = PictureChange.None);

/// <summary>What a change of the rules does to a pictured point.</summary>
public enum PictureChange
{
    /// <summary>Nothing.</summary>
    None,
    /// <summary>It would be kept, and is not with the rules before.</summary>
    Gained,
    /// <summary>It would not be kept, and is with the rules before.</summary>
    Lost,
}

/// <summary>What a policy's rules would keep.</summary>
public sealed record RetentionPreview
{
    /// <summary>In words.</summary>
    public required string Sentence { get; init; }
    /// <summary>The points once the schedule has gone on for long, newest first; at most 2,000.</summary>
    public IReadOnlyList<PicturedPoint> Picture { get; init; } = [];
    /// <summary>For a policy that exists: what of its items' points would go by the change; null where nothing would.</summary>
    public RetentionLoss? Loss { get; init; }
}

/// <summary>POST policies/simulate: what stays over days to come.</summary>
public sealed record SimulatePolicyRequest
{
    /// <summary>The policy; its items' points are where the simulation begins. Null begins with none.</summary>
    public PolicyId? Policy { get; init; }
    /// <summary>Other rules and another schedule than the policy's; null for those that it has.</summary>
    public PolicySpec? Spec { get; init; }
    /// <summary>How many days, 1 to 4,000.</summary>
    public int Days { get; init; } = 90;
}

/// <summary>What would stay.</summary>
/// <param name="Items">One for each item of the policy; one without a name where there is no policy.</param>
public sealed record PolicySimulation(IReadOnlyList<SimulatedItem> Items);

/// <summary>What would stay of an item.</summary>
/// <param name="Item">The item; null where there is no policy.</param>
/// <param name="Name">Its name.</param>
/// <param name="Days">How many points there are on each day.</param>
/// <param name="Points">All points, those that are there and those to come.</param>
public sealed record SimulatedItem(ItemId? Item, string Name, IReadOnlyList<ForecastDay> Days, IReadOnlyList<SimulatedPoint> Points);

/// <summary>What would become of a point.</summary>
/// <param name="Id">The point; null for one that is still to be taken.</param>
/// <param name="ReceivedAt">When it is received.</param>
/// <param name="DroppedAt">When it goes into the trash; null where it does not.</param>
/// <param name="ForgottenAt">When it goes for good; null where that is later.</param>
/// <param name="Reasons">What keeps it at the end, or kept it last.</param>
public sealed record SimulatedPoint(RecoveryPointId? Id, DateTimeOffset ReceivedAt, DateTimeOffset? DroppedAt, DateTimeOffset? ForgottenAt,
    IReadOnlyList<KeepReason> Reasons);
