using System.Globalization;

namespace BackupDr.Capacity;

/// <summary>Measures what one node and its database carry. Started by <c>bench/capacity</c>, which explains it.</summary>
static class Program
{
    static async Task<int> Main(string[] words)
    {
        using var stop = new CancellationTokenSource();
        Console.CancelKeyPress += (_, pressed) => { pressed.Cancel = true; stop.Cancel(); };
        try
        {
            switch (words)
            {
                case ["agents", var app, var scratch, var counts, var rates, var seconds]:
                    foreach (var count in Numbers(counts))
                        await AgentLoad.Run(app, Path.Combine(scratch, $"agents-{count}"), count, Numbers(rates), Number(seconds),
                            stop.Token);
                    return 0;
                case ["claims", var app, var scratch, var count]:
                    await ClaimRace.Run(app, Path.Combine(scratch, "claims"), Number(count), stop.Token);
                    return 0;
                case ["history", var app, var scratch, var runs, var points]:
                    await History.Run(app, Path.Combine(scratch, "history"), Number(runs), Number(points), stop.Token);
                    return 0;
                default:
                    Console.Error.WriteLine("Run bench/capacity.");
                    return 2;
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested) { return 130; }
    }

    static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    static int[] Numbers(string text) => [.. text.Split(',').Select(Number)];
}
