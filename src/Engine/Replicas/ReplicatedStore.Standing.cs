using BackupDr.Engine.Format;
using BackupDr.Storage;

namespace BackupDr.Engine.Replicas;

/// <summary>A place was passed over, or is back.</summary>
/// <param name="Place">Its address.</param>
/// <param name="IsBack">Whether it answers again.</param>
/// <param name="Problem">Why it is passed over; null where it is back.</param>
public sealed record PlaceNews(string Place, bool IsBack, string? Problem)
{
    /// <summary>A sentence for a log.</summary>
    public override string ToString() => IsBack ? $"{Place} answers again, and is used again."
        : $"{Place} is passed over, and the other places answer for it: {Problem}";
}

/// <summary>Which places can be asked. Why all are looked at at once: docs/decisions/0062-places-side-by-side.md.</summary>
public sealed partial class ReplicatedStore
{
    /// <summary>How long a place that failed is not looked at while others answer. Then it is, beside the work.</summary>
    public static readonly TimeSpan Rest = TimeSpan.FromSeconds(30);

    /// <summary>How long the others have at the opening to answer, from the first answer on.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    const int MostNews = 20;   // of one place: one that comes and goes all night fills no log

    enum Standing
    {
        /// <summary>It was asked at the opening and has not answered yet.</summary>
        Asked,
        /// <summary>It answers.</summary>
        Here,
        /// <summary>It does not; it may come back.</summary>
        Away,
        /// <summary>It answers, and has not got the repository.</summary>
        Empty,
    }

    sealed class Place(IObjectStore store)
    {
        public IObjectStore Store { get; } = store;
        public Task Look { get; set; } = Task.CompletedTask;   // ends by itself; faults only where something of ours is broken
        public Standing Standing { get; set; }
        public StoreException? Failure { get; set; }           // of the look at the opening
        public string? Problem { get; set; }
        public long AwaySince { get; set; }
        public long RestsSince { get; set; }
        public int News { get; set; }
    }

    readonly Lock _standings = new();
    readonly CancellationTokenSource _closing = new();
    readonly Action<PlaceNews>? _tell;
    bool _isOpen;

    async Task LookAtAll(CancellationToken ct)
    {
        foreach (var place in _places) place.Look = Look(place);
        try
        {
            if (_use == ReplicaUse.Write)
            {
                await _places[0].Look.WaitAsync(ct);
                if (_places[0].Failure is { } failure) throw failure;
            }
            await HearMost(ct);
            Begin();
        }
        finally
        {
            if (!_isOpen) await StopLooking();   // the places stay the caller's, who may close them now
        }
    }

    /// <summary>Until one place has the repository and the others have had their time, or all have answered.</summary>
    async Task HearMost(CancellationToken ct)
    {
        var looks = _places.Select(place => place.Look).ToList();
        while (looks.Count > 0 && !_places.Any(place => place.Standing == Standing.Here))
        {
            var ended = await Task.WhenAny(looks).WaitAsync(ct);
            looks.Remove(ended);
            await ended;
        }
        if (looks.Count == 0) return;
        var rest = Task.WhenAll(looks);
        try { await rest.WaitAsync(Patience, _clock, ct); }
        catch (TimeoutException) when (!rest.IsCompleted) { PassOver(); }   // they are looked at still, and come in when they answer
    }

    void PassOver()
    {
        lock (_standings)
        {
            foreach (var place in _places.Where(place => place.Standing == Standing.Asked))
            {
                place.Problem = $"it was silent for {Patience.TotalSeconds:0} seconds after another place had answered; it comes in when "
                    + "it answers.";
                place.AwaySince = _clock.GetTimestamp();
            }
        }
    }

    /// <exception cref="StoreException">Nobody has it, and somebody might who does not answer.</exception>
    void Begin()
    {
        List<Place> absent;
        lock (_standings)
        {
            if (!_places.Any(place => place.Standing == Standing.Here))
            {
                if (_use == ReplicaUse.Read && _places.Any(place => place.Standing == Standing.Away)) throw NobodyHasIt();
                // Opening the repository says in its own words that nobody has it.
                foreach (var place in _places.Where(place => place.Standing == Standing.Empty))
                    (place.Standing, place.Problem) = (Standing.Here, null);
            }
            absent = [.. _places.Where(place => place.Problem is not null)];
            _isOpen = true;
        }
        foreach (var place in absent) Tell(place, new PlaceNews(place.Store.Url, false, place.Problem));
    }

    StoreException NobodyHasIt()
    {
        var failures = _places.Select(place => place.Failure).OfType<StoreException>().ToList();
        var first = failures.Find(failure => failure.IsTransient) ?? failures[0];   // that one may pass
        if (_places.Length == 1) return first;
        var each = _places.Select(place => place.Problem!.Contains(place.Store.Url, StringComparison.Ordinal) ? place.Problem
            : $"{place.Store.Url}: {place.Problem}");
        var hints = failures.Select(failure => failure.Hint).OfType<string>().Distinct();
        return new StoreException(first.Fault,
            $"None of the {_places.Length} places can be used. {string.Join(" | ", each.Select(one => one.TrimEnd('.')))}.",
            string.Join(" ", ["One of them is enough: look at its network, its credentials and its address.", .. hints]), first);
    }

    /// <summary>Looks whether a place answers and has the repository, and notes it.</summary>
    async Task Look(Place place)
    {
        try
        {
            var isThere = await place.Store.Head(ObjectLayout.Config, _closing.Token) is not null;
            Stands(place, isThere ? Standing.Here : Standing.Empty, isThere ? null : "there is no repository there.");
        }
        catch (StoreException e) when (e.Fault == StoreFault.Missing)   // not even the folder or the bucket
        {
            Stands(place, Standing.Empty, "there is no repository there.");
        }
        catch (StoreException e)   // that is what the look was for
        {
            place.Failure = e;
            Stands(place, Standing.Away, e.Message);
        }
        catch (OperationCanceledException) when (_closing.IsCancellationRequested)
        {
            // The store is being closed: nobody waits for the answer any more.
        }
    }

    void Rests(Place place, StoreException e) => Stands(place, Standing.Away, e.Message);

    void Stands(Place place, Standing now, string? problem)
    {
        PlaceNews? news = null;
        lock (_standings)
        {
            var before = place.Standing;
            place.Standing = now;
            place.Problem = problem ?? place.Problem;
            if (now == Standing.Away)
            {
                if (before != Standing.Away) place.AwaySince = _clock.GetTimestamp();
                place.RestsSince = _clock.GetTimestamp();
            }
            if (_isOpen && now != before) news = new PlaceNews(place.Store.Url, now == Standing.Here, problem);
        }
        if (news is not null) Tell(place, news);
    }

    void Tell(Place place, PlaceNews news)
    {
        if (_tell is null || ++place.News > MostNews) return;
        _tell(news);
    }

    /// <summary>Those that answer, the one that answered for this object before first. Where none does, all that might, the one that did
    /// last first. Begins to look at those that have rested.</summary>
    List<Place> ToAsk(ObjectName? name = null)
    {
        foreach (var place in _places)
            if (IsToBeLookedAt(place)) place.Look = Look(place);
        List<Place> here = [.. _places.Where(place => place.Standing == Standing.Here)];
        if (here.Count == 0)
            return [.. _places.Where(place => place.Standing != Standing.Empty).OrderByDescending(place => place.AwaySince)];
        lock (_healed)
            if (name is { } known && _answered.TryGetValue(known, out var able) && here.Remove(able)) here.Insert(0, able);
        return here;
    }

    bool IsToBeLookedAt(Place place)
    {
        lock (_standings)
        {
            if (place.Standing != Standing.Away || !place.Look.IsCompleted || _clock.GetElapsedTime(place.RestsSince) < Rest) return false;
            place.RestsSince = _clock.GetTimestamp();   // by one of us
            return true;
        }
    }

    /// <summary>Before it is said that nobody has something: hears those whose answer at the opening is still out, and adds who answers
    /// now. Whether there is one.</summary>
    async Task<bool> HearTheRest(List<Place> asked, CancellationToken ct)
    {
        List<Place> late = [.. _places.Where(place => !asked.Contains(place) && place.Standing is (Standing.Asked or Standing.Here))];
        await Task.WhenAll(late.Where(place => place.Standing == Standing.Asked).Select(place => place.Look)).WaitAsync(ct);
        var before = asked.Count;
        asked.AddRange(late.Where(place => place.Standing == Standing.Here));
        return asked.Count > before;
    }

    /// <summary>Ends what looks after places beside the work. For those who close the places themselves; the store's own closing does it
    /// too.</summary>
    public async Task StopLooking()
    {
        await _closing.CancelAsync();
        // What a look broke by was told to whoever waited for it; here nobody wants an answer any more.
        await Task.WhenAll(_places.Select(place => place.Look)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
