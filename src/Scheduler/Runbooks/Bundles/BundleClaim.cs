using System.Globalization;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Runbooks.Bundles;
using BackupDr.Scheduler.ControlPlane;
using BackupDr.Storage;

namespace BackupDr.Scheduler.Runbooks.Bundles;

/// <summary>Notes in the places of an installation that somebody executes a runbook in earnest, so that two people at two machines learn
/// of each other. An object for each execution, which only one of them could put, and one behind it that says that it is over.</summary>
/// <param name="head">The bundle.</param>
/// <param name="places">Where it is noted.</param>
/// <param name="clock">The time.</param>
sealed class BundleClaim(BundleHead head, IReadOnlyList<RepositoryPlace> places, TimeProvider clock)
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);
    const int LargestNote = 4 << 10;

    enum Found { Ours, Others, Nobody }

    sealed record Seen(string Place, Found Found, string Text);

    string Folder => $"{ExportNames.Folder(head.Installation)}/executions/{head.Runbook.Value:N}";

    ObjectName Name(int number, string ending = "")
        => new($"{Folder}/{number.ToString("D6", CultureInfo.InvariantCulture)}{ending}");

    /// <summary>Notes it everywhere.</summary>
    /// <param name="execution">The execution.</param>
    /// <param name="who">Who begins it, and where, in words.</param>
    /// <param name="takeOver">The execution that is given up; null for none.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>In how many of how many places, and in words.</returns>
    /// <exception cref="ConflictException">"bundle.claimed": somebody else executes it.</exception>
    public async Task<(int Noted, int All, string Words)> Take(string execution, string who, string? takeOver, CancellationToken ct)
    {
        var seen = await Task.WhenAll(places.Select(place => Take(place, execution, who, takeOver, ct)));
        if (seen.FirstOrDefault(one => one.Found == Found.Others) is { } other)
        {
            await Release(execution, ct);
            throw new ConflictException("bundle.claimed", $"Somebody else executes this runbook: {other.Text}, as {other.Place} says. "
                + "Nothing was done.", "Ask them. Where that machine is gone for good, look how far it came, and give it up with "
                + $"--take-over {other.Text.Split(' ')[0]}");
        }
        var noted = seen.Count(one => one.Found == Found.Ours);
        return (noted, places.Count, noted == 0 ? $"no place could note it ({places.Count} were asked)"
            : $"noted in {noted} of {places.Count} places: {string.Join(", ", seen.Where(one => one.Found == Found.Ours)
                .Select(one => one.Place))}");
    }

    /// <summary>Notes that it is over, where that can be done.</summary>
    public Task Release(string execution, CancellationToken ct) => Task.WhenAll(places.Select(place => Within(place, async (store, late) =>
    {
        var (number, text, isOver) = await Last(store, late);
        if (number > 0 && !isOver && text.StartsWith(execution, StringComparison.Ordinal))
            await Put(store, Name(number, ".over"), execution, late);
        return new Seen(place.Url, Found.Ours, "");
    }, ct)));

    Task<Seen> Take(RepositoryPlace place, string execution, string who, string? takeOver, CancellationToken ct)
        => Within(place, async (store, late) =>
        {
            if (!store.Abilities.HasFlag(StoreAbilities.ConditionalPut))
                return new Seen(place.Url, Found.Nobody, "it cannot tell two apart");
            while (true)
            {
                var (number, text, isOver) = await Last(store, late);
                if (number > 0 && !isOver)
                {
                    if (text.StartsWith(execution, StringComparison.Ordinal)) return new Seen(place.Url, Found.Ours, text);
                    if (takeOver is null || !text.StartsWith(takeOver, StringComparison.Ordinal))
                        return new Seen(place.Url, Found.Others, text);
                    await Put(store, Name(number, ".over"), $"given up by {who}", late);
                    continue;
                }
                if (await Put(store, Name(number + 1), $"{execution} {who}", late)) return new Seen(place.Url, Found.Ours, "");
            }
        }, ct);

    /// <summary>The last one that began, what it says, and whether it is over.</summary>
    async Task<(int Number, string Text, bool IsOver)> Last(IObjectStore store, CancellationToken ct)
    {
        var (begun, over) = (new SortedSet<int>(), new HashSet<int>());
        await foreach (var one in store.List(Folder, ct))
        {
            var parts = one.Name.LastSegment.Split('.');
            if (!int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var number)) continue;
            if (parts.Length == 1) begun.Add(number);
            else over.Add(number);
        }
        if (begun.Count == 0) return (0, "", true);
        var size = await store.Head(Name(begun.Max), ct);
        var text = new byte[Math.Min(size?.SizeBytes ?? 0, LargestNote)];
        await store.Read(Name(begun.Max), 0, text, ct);
        return (begun.Max, Encoding.UTF8.GetString(text), over.Contains(begun.Max));
    }

    /// <summary>Puts it; false where somebody was faster.</summary>
    static async Task<bool> Put(IObjectStore store, ObjectName name, string text, CancellationToken ct)
    {
        try
        {
            await store.Put(name, Encoding.UTF8.GetBytes(text), ct);
            return true;
        }
        catch (StoreException e) when (e.Fault == StoreFault.Exists) { return false; }
    }

    async Task<Seen> Within(RepositoryPlace place, Func<IObjectStore, CancellationToken, Task<Seen>> work, CancellationToken ct)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(Patience);
        try
        {
            var options = new StoreOptions(place.Options ?? []) { AuthorityPem = place.AuthorityPem, Clock = clock };
            if (place.Variables is { } variables) options = options with { Environment = name => variables.GetValueOrDefault(name) };
            await using var store = StoreFactory.Open(place.Url, options);
            return await work(store, late.Token);
        }
        // One that is away says nothing: how many did is told, and decides whether a person is asked.
        catch (Exception e) when (e is BackupDrException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            return new Seen(place.Url, Found.Nobody, e.Message);
        }
    }
}
