using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Gateway;
using BackupDr.Storage;
using BackupDr.Storage.Probing;

namespace BackupDr.Scheduler.Repositories;

/// <summary>The way to a location, as it is or as it is to be.</summary>
/// <param name="Location">The location, with its address and options.</param>
/// <param name="Variables">What opens it; null for what the machine has.</param>
sealed record LocationWay(Location Location, IReadOnlyDictionary<string, string>? Variables)
{
    /// <param name="location">The location.</param>
    /// <param name="credentials">What opens it; null for what the machine has.</param>
    public static LocationWay Of(Location location, StoreCredentials? credentials)
        => new(location, CredentialVariables.Of(location.Kind, credentials));

    /// <summary>For a store that somebody waits for.</summary>
    public StoreOptions Options(TimeProvider clock)
    {
        var options = new StoreOptions(Location.Options)
        {
            AuthorityPem = Location.AuthorityPem,
            Retry = ProbeOptions.Impatient,
            Clock = clock,
        };
        return Variables is null ? options : options with { Environment = name => Variables.GetValueOrDefault(name) };
    }
}

/// <summary>Tries on this node what a location really does.</summary>
public sealed class LocationTrial(GatewayStores gateway, LocationRules rules, NodeOptions node, TimeProvider clock)
{
    static readonly ProbedAbility[] Needed = [ProbedAbility.Write, ProbedAbility.Read, ProbedAbility.List];

    /// <summary>Tries everything.</summary>
    internal async Task<IReadOnlyList<ProbeLine>> Probe(LocationWay way, bool tryLock, CancellationToken ct)
    {
        var place = way.Location;
        var options = way.Options(clock);
        IObjectStore store;
        try
        {
            store = place.Path is { } folder ? await gateway.Root(folder, place.Id, ct) : StoreFactory.Open(place.Address, options);
        }
        catch (BackupDrException e) { return StoreProbe.Unopened(e); }
        await using (store)
            return await StoreProbe.Run(store, new ProbeOptions
            {
                TryLock = tryLock,
                StorageClass = place.Kind switch
                {
                    LocationKind.S3 => options.Text("s3.storage-class") ?? "STANDARD_IA",
                    LocationKind.Azure => options.Text("azure.access-tier") ?? "Cool",
                    _ => null,
                },
                Clock = clock,
            }, ct);
    }

    /// <summary>Tries a new way to an object store before it replaces the former.</summary>
    /// <param name="what">What is new, for example "new credentials".</param>
    /// <param name="way">The new way.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>What was found; null where nothing can be found here: without credentials of the location's own, and where only reading
    /// is allowed.</returns>
    /// <exception cref="ConflictException">A backup would not work with it.</exception>
    /// <exception cref="BadInputException">The location's object lock would not.</exception>
    internal async Task<IReadOnlyList<ProbeLine>?> Must(string what, LocationWay way, CancellationToken ct)
    {
        if (way.Variables is null) return null;   // what an agent's machine has is not what this node has
        if (way.Location.IsClosed) return await MustList(what, way, ct);
        var lines = await Probe(way, tryLock: false, ct);
        var missing = lines.FirstOrDefault(line => Needed.Contains(line.Ability) && line.Result != ProbeResult.Works);
        if (missing is not null) throw Refused(what, missing.Sentence, missing.Advice);
        if (way.Location is { Lock: not null } place)
            await rules.MustLock(place.Address, place.Options, place.AuthorityPem, way.Variables, ct);
        return lines;
    }

    // A test writes, and an adopted repository's place is not written to.
    async Task<IReadOnlyList<ProbeLine>?> MustList(string what, LocationWay way, CancellationToken ct)
    {
        try
        {
            await using var store = StoreFactory.Open(way.Location.Address, way.Options(clock));
            await foreach (var _ in store.List("snapshots", ct)) break;
            return null;
        }
        catch (StoreException e) { throw Refused(what, e.Message, e.Hint); }
    }

    static ConflictException Refused(string what, string why, string? advice) => new("location.not_usable",
        $"The test with the {what} failed. {why}", advice ?? "Correct it, and try again.");

    /// <summary>Keeps what was found with the location.</summary>
    internal Task Keep(Transaction tx, LocationId id, IReadOnlyList<ProbeLine>? lines, CancellationToken ct) => lines is null
        ? Task.CompletedTask
        : tx.Execute("update location set tested_at = clock(), tested_on = $2, test_lines = $3 where id = $1",
            [id, node.NameOrMachine, JsonText.Of(lines, WireJson.Default.IReadOnlyListProbeLine)], ct);
}
