using System.Collections.Frozen;
using BackupDr.Contracts;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Access;

/// <summary>A part of the fleet, with what is in it at this moment.</summary>
/// <param name="Text">As it was written: "host=web-*", "policy=pol_…", "location=loc_…".</param>
/// <param name="Hosts">The hosts in it.</param>
/// <param name="Policies">The policies in it, with everything that they protect.</param>
/// <param name="Locations">The locations in it, with the repositories there.</param>
public sealed record Scope(string Text, FrozenSet<Guid> Hosts, FrozenSet<Guid> Policies, FrozenSet<Guid> Locations)
{
    /// <summary>Whether a thing lies in it: all that it touches does. To read a policy it is enough that a part does.</summary>
    internal bool Holds(Place place, bool partly) => place.Policies.Any(Policies.Contains) || place.Locations.Any(Locations.Contains)
        || place.Hosts.Length > 0 && (partly ? place.Hosts.Any(Hosts.Contains) : place.Hosts.All(Hosts.Contains));

    /// <summary>Whether a thing of a list lies in it.</summary>
    internal bool Sees(HostId? host, PolicyId? policy, LocationId? location) => host is { } one && Hosts.Contains(one.Value)
        || policy is { } of && Policies.Contains(of.Value) || location is { } at && Locations.Contains(at.Value);
}

/// <summary>Where a thing belongs.</summary>
/// <param name="Hosts">The hosts that it touches.</param>
/// <param name="Policies">Its policy, where it has one.</param>
/// <param name="Locations">Its location, where it has one.</param>
sealed record Place(Guid[] Hosts, Guid[] Policies, Guid[] Locations);

/// <summary>Finds out what is in a scope, and where a thing belongs. Only callers with a scope cost these look-ups.</summary>
public sealed class ScopedThings(Postgres db)
{
    /// <summary>What a scope holds now.</summary>
    public async Task<Scope> Look(ScopeText scope, CancellationToken ct)
    {
        var hosts = scope switch
        {
            { HostPattern: { } pattern } => await db.Query("select id from host where name like $1", [pattern],
                row => row.Id<HostId>(0).Value, ct),
            { Label: { } label } => await db.Query("select host_id from host_label where key = $1 and value = $2", [label.Key, label.Value],
                row => row.Id<HostId>(0).Value, ct),
            _ => [],
        };
        return new Scope(scope.Text, hosts.ToFrozenSet(), Only(scope.Policy?.Value), Only(scope.Location?.Value));

        static FrozenSet<Guid> Only(Guid? id) => id is { } one ? FrozenSet.Create(one) : FrozenSet<Guid>.Empty;
    }

    /// <summary>Where a thing belongs; null where there is no such thing, or where it belongs to nobody in particular.</summary>
    internal async Task<Place?> Place(ITypedId thing, CancellationToken ct) => thing switch
    {
        HostId host => new Place([host.Value], [], []),
        LocationId location => new Place([], [], [location.Value]),
        PolicyId policy => await Find("""
            select array(select distinct i.host_id from item i where i.policy_id = p.id and i.retired_at is null) as hosts,
                array[p.id] as policies, '{}'::uuid[] as locations from policy p where p.id = $1
            """, policy, ct),
        ItemId item => await Find("""
            select array[host_id] as hosts, array[policy_id] as policies, '{}'::uuid[] as locations from item where id = $1
            """, item, ct),
        RepositoryId repository => await Find("""
            select array[host_id] as hosts, '{}'::uuid[] as policies, array[location_id] as locations from repository where id = $1
            """, repository, ct),
        RecoveryPointId point => await Find("""
            select array[coalesce(i.host_id, r.host_id)] as hosts, array_remove(array[i.policy_id], null) as policies,
                array[r.location_id] as locations
            from recovery_point p join repository r on r.id = p.repository_id left join item i on i.id = p.item_id where p.id = $1
            """, point, ct),
        RunId run => await Find("""
            select array[coalesce(i.host_id, r.host_id)] as hosts, array_remove(array[u.policy_id], null) as policies,
                array[r.location_id] as locations
            from run u join repository r on r.id = u.repository_id left join item i on i.id = u.item_id where u.id = $1
            """, run, ct),
        _ => null,
    };

    Task<Place?> Find(string sql, ITypedId id, CancellationToken ct)
        => db.First(sql, [id], row => new Place(row.Uuids("hosts"), row.Uuids("policies"), row.Uuids("locations")), ct);
}

/// <summary>A scope as it is written and stored.</summary>
/// <param name="Text">The stored form, with ids in place of names.</param>
/// <param name="HostPattern">A pattern of SQL's LIKE over the names of hosts.</param>
/// <param name="Label">A label of hosts.</param>
/// <param name="Policy">A policy.</param>
/// <param name="Location">A location.</param>
public sealed record ScopeText(string Text, string? HostPattern = null, (string Key, string Value)? Label = null,
    PolicyId? Policy = null, LocationId? Location = null)
{
    /// <summary>Longest text.</summary>
    public const int Longest = 200;

    const string Hint = "Write host=web-*, label=KEY=VALUE, policy=NAME or location=NAME, or leave it out for everywhere.";

    /// <summary>Reads what people write, and looks names up.</summary>
    /// <exception cref="BadInputException">It is no scope, or names what is not there.</exception>
    public static async Task<ScopeText> Parse(SqlSource db, string text, CancellationToken ct)
    {
        text = text.Trim();
        if (text.Length > Longest || text.Split('=', 2) is not [var key, { Length: > 0 } value]) throw Wrong($"'{text}' is no scope.");
        return key.Trim() switch
        {
            "host" => new ScopeText($"host={value.Trim()}", Like(value.Trim())),
            "label" => OfLabel(value.Trim()),
            "policy" => OfPolicy(await Find(db, "select id from policy where removed_at is null and (lower(name) = lower($1) or id = $2)",
                value.Trim(), TypedId.TryParse<PolicyId>(value.Trim(), out var policy) ? policy.Value : null, "policy", ct)),
            "location" => OfLocation(await Find(db, "select id from location where lower(name) = lower($1) or id = $2", value.Trim(),
                TypedId.TryParse<LocationId>(value.Trim(), out var location) ? location.Value : null, "location", ct)),
            _ => throw Wrong($"A scope cannot say '{key.Trim()}'."),
        };

        static ScopeText OfPolicy(Guid id) => new($"policy={new PolicyId(id)}", Policy: new PolicyId(id));
        static ScopeText OfLocation(Guid id) => new($"location={new LocationId(id)}", Location: new LocationId(id));
    }

    /// <summary>Reads the stored form.</summary>
    public static ScopeText OfStored(string text) => text.Split('=', 2) switch
    {
        ["host", var value] => new ScopeText(text, Like(value)),
        ["label", var value] => OfLabel(value),
        ["policy", var value] => new ScopeText(text, Policy: PolicyId.Parse(value)),
        ["location", var value] => new ScopeText(text, Location: LocationId.Parse(value)),
        _ => throw new InvalidOperationException($"The database holds the scope '{text}', which this version does not know."),
    };

    static ScopeText OfLabel(string label) => label.Split('=', 2) is [{ Length: > 0 } key, var value]
        ? new ScopeText($"label={key}={value}", Label: (key, value)) : throw Wrong($"'{label}' is no label with a value.");

    static async Task<Guid> Find(SqlSource db, string sql, string name, Guid? id, string what, CancellationToken ct)
        => await db.Scalar<Guid?>(sql, [name, id ?? Guid.Empty], ct) ?? throw Wrong($"There is no {what} named '{name}'.");

    static string Like(string pattern) => pattern.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("%", "\\%",
        StringComparison.Ordinal).Replace("_", "\\_", StringComparison.Ordinal).Replace('*', '%');

    static BadInputException Wrong(string message) => new("scope", message, Hint);
}
