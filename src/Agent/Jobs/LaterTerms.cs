using System.Globalization;
using BackupDr.Agent.Leasing;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;

namespace BackupDr.Agent.Jobs;

/// <summary>Looks, before something is removed, whether a later control plane has begun than the one that wants it removed. Its node has
/// asked most places just before; this is the look of the one who removes, at the very places.</summary>
static class LaterTerms
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>Ends where there is none.</summary>
    /// <exception cref="ConflictException">"control_plane.superseded": there is one.</exception>
    public static async Task MustBeNone(AgentStores stores, TermPlaces terms, RunReporter reporter, CancellationToken ct)
    {
        var highest = await Task.WhenAll(terms.Places.Select(place => Highest(stores, terms, place, reporter, ct)));
        foreach (var (place, later) in terms.Places.Zip(highest).Where(one => one.Second > terms.Term))
            throw new ConflictException(AgentProtocol.Superseded, string.Create(CultureInfo.InvariantCulture, $"In {place.Url} lies term "
                + $"{later} of this installation's control plane, and this run was leased in term {terms.Term}: nothing was removed."),
                string.Create(CultureInfo.InvariantCulture, $"Turn to the later control plane. If none was rebuilt, somebody put "
                + $"{terms.Folder}/{later:D6} there: find out who may write there, and remove that object."));
    }

    /// <summary>The highest in one place. What the objects hold only a control plane can open: a name is enough to remove nothing.
    /// </summary>
    static async Task<long> Highest(AgentStores stores, TermPlaces terms, RepositoryPlace place, RunReporter reporter,
        CancellationToken ct)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(Patience);
        var highest = 0L;
        try
        {
            await using var store = stores.Open(place);
            await foreach (var one in store.List(terms.Folder, late.Token))
                if (long.TryParse(one.Name.LastSegment, NumberStyles.None, CultureInfo.InvariantCulture, out var term))
                    highest = Math.Max(highest, term);
            return highest;
        }
        // Credentials that reach the repository alone, or a place that is away: the nodes' own look is what counts then.
        catch (Exception e) when (e is BackupDrException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            reporter.Event(EventLevel.Info, "terms.unread", $"{place.Url} does not show this host which control planes have begun: "
                + $"{(e is BackupDrException ? e.Message : "it did not answer in time")}");
            return highest;
        }
    }
}
