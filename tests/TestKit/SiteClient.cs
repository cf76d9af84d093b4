using System.Globalization;

namespace BackupDr.TestKit;

/// <summary>Clients of a shop that look up its name and send an order each, again and again whatever becomes of those before, and keep what
/// was acknowledged.</summary>
public sealed class SiteClient : IAsyncDisposable
{
    const int Most = 64;
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(5), Pause = TimeSpan.FromMilliseconds(100);

    readonly CancellationTokenSource _stop = new();
    readonly List<ShopClient.Acknowledged> _orders = [];
    readonly Func<string> _lookUp;
    readonly Func<string, int> _portOf;
    readonly Task _work;
    string _address = "";

    /// <summary>Begins.</summary>
    /// <param name="lookUp">What the name says now; asked all the time.</param>
    /// <param name="portOf">The port at an address.</param>
    public SiteClient(Func<string> lookUp, Func<string, int> portOf)
    {
        (_lookUp, _portOf, _address) = (lookUp, portOf, lookUp());
        _work = Task.WhenAll(Task.Run(LookUp), Task.Run(Work));
    }

    /// <summary>What was acknowledged so far, in the order of the answers.</summary>
    public IReadOnlyList<ShopClient.Acknowledged> Orders { get { lock (_orders) return [.. _orders]; } }

    async Task LookUp()
    {
        while (!_stop.IsCancellationRequested)
        {
            if (_lookUp() is { Length: > 0 } address) Volatile.Write(ref _address, address);
            await Task.Delay(Pause, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    async Task Work()
    {
        var under = new List<Task>();
        while (!_stop.IsCancellationRequested)
        {
            under.RemoveAll(task => task.IsCompleted);
            if (under.Count < Most) under.Add(Order(Volatile.Read(ref _address)));
            await Task.Delay(Pause, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        await Task.WhenAll(under);
    }

    async Task Order(string address)
    {
        var url = string.Create(CultureInfo.InvariantCulture, $"http://{address}:{_portOf(address)}/orders");
        using var http = new HttpClient { Timeout = Patience };
        try
        {
            using var answer = await http.PostAsync(new Uri(url), null, _stop.Token);
            if (answer.IsSuccessStatusCode && long.TryParse(await answer.Content.ReadAsStringAsync(_stop.Token),
                CultureInfo.InvariantCulture, out var id))
                lock (_orders) _orders.Add(new ShopClient.Acknowledged(id, TimeProvider.System.GetUtcNow()));
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException) { return; }   // that is what is watched
    }

    /// <summary>Ends.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _work;
        _stop.Dispose();
    }
}
