using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Scheduler.Database;
using BackupDr.Storage;

namespace BackupDr.Scheduler.ControlPlane;

/// <summary>A term that has begun.</summary>
/// <param name="Term">Its number.</param>
/// <param name="Places">In how many of the places that count it was written.</param>
/// <param name="Of">How many these are.</param>
/// <param name="Missing">Those that were not reached, each with the reason.</param>
/// <param name="OverriddenBy">Who said that it begins all the same; null where most places have it.</param>
sealed record BegunTerm(long Term, int Places, int Of, IReadOnlyList<string> Missing, PersonPair? OverriddenBy)
{
    /// <summary>In words, for the audit log and the terminal.</summary>
    public string Words => string.Create(CultureInfo.InvariantCulture, $"term {Term} begins in {Places} of {Of} places")
        + (Missing.Count == 0 ? "" : $"; not reached: {string.Join("; ", Missing)}");
}

/// <summary>Two people who answer for something together.</summary>
/// <param name="One">A name.</param>
/// <param name="Other">Another name.</param>
public sealed record PersonPair(string One, string Other);

/// <summary>Begins the term of a rebuilt control plane in more than half of the places that exports go to, so that these can no longer
/// confirm the old one.</summary>
/// <param name="from">The place that is rebuilt from.</param>
/// <param name="box">Opens and seals.</param>
/// <param name="installation">Whose term.</param>
/// <param name="newest">The highest term among the entries.</param>
/// <param name="overriddenBy">Two people who say that the old control plane is off; null for nobody.</param>
sealed class BeginTerm(IObjectStore from, ExportBox box, Guid installation, long newest, PersonPair? overriddenBy)
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Begins it.</summary>
    /// <param name="tx">With the rows of the export: who may override is among them.</param>
    /// <param name="locations">The places among its locations; disposed here.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="ConflictException">"control_plane.no_majority": too few places were reached; "control_plane.term": another rebuild
    /// began it.</exception>
    public async Task<BegunTerm> Run(Transaction tx, IReadOnlyList<ExportPlace> locations, CancellationToken ct)
    {
        try
        {
            // A location is not asked twice where it is the very place that is rebuilt from.
            ExportPlace[] others = [.. locations.Where(place => place.Address != from.Url)];
            List<ExportPlace> all = [new ExportPlace("", from.Url, null, from, null), .. others];
            var counted = all.FindAll(place => place.Counts);
            return await Begin(tx, all, counted.Count > 0 ? counted : all[..1], ct);
        }
        finally
        {
            foreach (var place in locations) await place.DisposeAsync();
        }
    }

    async Task<BegunTerm> Begin(Transaction tx, List<ExportPlace> all, List<ExportPlace> counted, CancellationToken ct)
    {
        var highest = (await Task.WhenAll(all.Select(place => Try(place, store => Terms.Highest(store, box, installation, ct))))).Max();
        var term = Math.Max(newest, highest ?? 0) + 1;
        var needed = TermVotes.Majority(counted.Count);
        // Before anything is put: what stays behind of a rebuild that fails would end the old control plane all the same.
        if (counted.Count(place => place.IsUsable) < needed) await MustBeOverridden(tx, term, needed, counted, ct);
        var (begun, lost) = (0, (ConflictException?)null);
        foreach (var place in counted)
        {
            try
            {
                if (await Try(place, async store =>
                {
                    await Terms.Begin(store, box, installation, term, ct);
                    return 1;
                }) is not null) begun++;
            }
            catch (ConflictException e) { lost ??= e; }   // of two rebuilds at once the one with most places goes on
        }
        if (begun < needed && lost is not null) throw lost;
        if (begun < needed) await MustBeOverridden(tx, term, needed, counted, ct);
        return new BegunTerm(term, begun, counted.Count, Missing(counted), begun < needed ? overriddenBy : null);
    }

    static async Task<long?> Try(ExportPlace place, Func<IObjectStore, Task<long>> work)
    {
        if (!place.IsUsable) return null;
        try { return await work(place.Store!).WaitAsync(Patience, TimeProvider.System); }
        catch (StoreException e) { place.Problem = ExportPlaces.Sentence(e); }
        catch (TimeoutException) { place.Problem = $"It did not answer within {Patience.TotalSeconds:0} seconds."; }
        return null;
    }

    static List<string> Missing(List<ExportPlace> counted)
        => [.. counted.Where(place => !place.IsUsable).Select(place => $"{place.Name}: {place.Problem}")];

    /// <exception cref="ConflictException">Nobody overrides it.</exception>
    /// <exception cref="BadInputException">Those who do are not two people of this installation.</exception>
    async Task MustBeOverridden(Transaction tx, long term, int needed, List<ExportPlace> counted, CancellationToken ct)
    {
        var missing = Missing(counted);
        if (overriddenBy is not { } two)
            throw new ConflictException("control_plane.no_majority", string.Create(CultureInfo.InvariantCulture, $"Term {term} can be "
                + $"begun in {counted.Count - missing.Count} of the {counted.Count} places that exports go to, and {needed} are needed, so "
                + $"that the old control plane cannot go on unnoticed. Not reached: {string.Join("; ", missing)}"),
                "Make them reachable from here and rebuild again. If the old control plane is certainly off, two people say so: "
                + "--override NAME,NAME.");
        var known = await tx.Scalar<long>("select count(*) from person where lower(name) = any($1) and disabled_at is null",
            [new[] { two.One.ToLowerInvariant(), two.Other.ToLowerInvariant() }], ct);
        if (known != 2)
            throw new BadInputException("--override", $"'{two.One}' and '{two.Other}' are not two people of this installation.",
                "Give the names with which they sign in, separated by a comma.");
    }
}
