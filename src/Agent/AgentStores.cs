using System.Collections.Concurrent;
using BackupDr.Contracts;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Engine.Replicas;
using BackupDr.Storage;
using BackupDr.Storage.Layers;

namespace BackupDr.Agent;

/// <summary>Opens the stores that jobs and requests name, each with the layers that count, hold back and retry. What goes to one location
/// shares its gate and its bandwidth.</summary>
public sealed class AgentStores(AgentIdentity identity)
{
    /// <summary>How long one place is asked again and again while there is another one.</summary>
    static readonly TimeSpan PatienceWithOthersThere = TimeSpan.FromSeconds(15);
    /// <summary>How long one connection to it may take then: a site whose cable is pulled refuses nothing, and is silent.</summary>
    static readonly TimeSpan ConnectPatienceWithOthersThere = TimeSpan.FromSeconds(5);

    readonly ConcurrentDictionary<LocationId, RequestGate> _gates = new();
    readonly ConcurrentDictionary<LocationId, BandwidthLimits> _limits = new();

    /// <summary>The store of a repository. Only our own node's gateway is shown this host's certificate. Credentials that came with the job
    /// are used alone: a variable of this machine must not complete or replace them.</summary>
    public IObjectStore Open(RepositoryAccess access, StoreCounters? counters = null) => Open(new RepositoryPlace
    {
        Location = access.Location ?? default,
        Url = access.IsGateway ? OnOurWay(access.Url, identity.Membership.Urls) : access.Url,
        Options = access.Options,
        Variables = access.Variables,
        AuthorityPem = access.AuthorityPem,
        Bandwidth = access.Bandwidth,
    }, access.IsGateway, hasOthers: access.Replicas is { Count: > 0 }, counters);

    /// <summary>A gateway under an address of the node that this host can reach: the node names itself as most hosts do, and this one may
    /// have joined under another name, from another network.</summary>
    /// <param name="gateway">As restic writes it: "rest:https://backup.example.org:8421/gateway/repo_…/".</param>
    /// <param name="nodes">Under which addresses this host reaches the node; the first one counts where none is the gateway's.</param>
    internal static string OnOurWay(string gateway, IReadOnlyList<string> nodes)
    {
        const string rest = "rest:";
        var (named, ours) = (new Uri(gateway[rest.Length..]), nodes.Select(node => new Uri(node)).ToList());
        return ours.Count == 0 || ours.Exists(node => node.Authority == named.Authority) ? gateway
            : $"{rest}{new Uri(ours[0], named.AbsolutePath)}";
    }

    /// <summary>All places of a repository, its own first.</summary>
    public IReadOnlyList<(LocationId? Location, IObjectStore Store)> OpenAll(RepositoryAccess access, StoreCounters? counters = null)
        => [(access.Location, Open(access, counters)), .. (access.Replicas ?? []).Select(place => ((LocationId?)place.Location,
            Open(place, isGateway: false, hasOthers: true, counters)))];

    /// <summary>One store over all places of a repository, from which each object is read where it can be.</summary>
    /// <exception cref="StoreException">No place answers.</exception>
    public async Task<IObjectStore> OpenToRead(RepositoryAccess access, CancellationToken ct, StoreCounters? counters = null,
        Action<PlaceNews>? tell = null)
    {
        if (access.Replicas is not { Count: > 0 }) return Open(access, counters);
        List<IObjectStore> places = [.. OpenAll(access, counters).Select(place => place.Store)];
        ReplicatedStore? made = null;
        try { return made = await ReplicatedStore.Open(places, ReplicaUse.Read, TimeProvider.System, ct, tell); }
        finally
        {
            if (made is null)
                foreach (var place in places) await place.DisposeAsync();
        }
    }

    /// <summary>The root of a location, beside which there may be others.</summary>
    public IObjectStore Open(RepositoryPlace place) => Open(place, isGateway: false, hasOthers: true, counters: null);

    IObjectStore Open(RepositoryPlace place, bool isGateway, bool hasOthers, StoreCounters? counters)
    {
        counters ??= new StoreCounters();
        var options = new StoreOptions(place.Options ?? []) { AuthorityPem = place.AuthorityPem, Bandwidth = Limits(place) };
        if (place.Variables is { } variables) options = options with { Environment = name => variables.GetValueOrDefault(name) };
        if (isGateway) options = options with { ClientCertificate = () => identity.Certificate, Authority = identity.Authority };
        if (hasOthers)
            options = options with
            {
                Retry = options.Retry with { Budget = PatienceWithOthersThere },
                ConnectPatience = ConnectPatienceWithOthersThere,
            };
        options = options with { Retry = options.Retry with { Repeating = _ => counters.Retried() } };
        var measured = new MeasuredStore(StoreFactory.Open(place.Url, options), counters,
            _gates.GetOrAdd(place.Location, _ => new RequestGate()), options.Clock);
        return new RetryingStore(measured, options.Retry, options.Clock);
    }

    BandwidthLimits? Limits(RepositoryPlace place)
    {
        if (place.Bandwidth is null) return null;
        var schedule = BandwidthSchedule.Parse(place.Bandwidth);
        var limits = _limits.GetOrAdd(place.Location, _ => new BandwidthLimits(new Bandwidth(schedule, TimeProvider.System),
            new Bandwidth(schedule, TimeProvider.System)));
        limits.Up!.Change(schedule);
        limits.Down!.Change(schedule);
        return limits;
    }
}
