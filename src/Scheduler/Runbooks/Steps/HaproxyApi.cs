using System.Globalization;
using System.Net.Sockets;
using System.Text;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Alerts.Channels;

namespace BackupDr.Scheduler.Runbooks.Steps;

/// <summary>A balancer did not do what it was told, or said nothing.</summary>
sealed class BalancerException(string message) : Exception(message);

/// <summary>What a balancer says of a server.</summary>
/// <param name="State">Whether it is to take traffic.</param>
/// <param name="Weight">Its weight.</param>
/// <param name="IsUp">Whether its health check lets it.</param>
readonly record struct BalancedServer(LbState State, int Weight, bool IsUp)
{
    /// <summary>"drain 100": for outputs, and to be read again.</summary>
    public string Text => string.Create(CultureInfo.InvariantCulture, $"{State.ToString().ToLowerInvariant()} {Weight}");

    /// <summary>Reads that again; null where it is something else.</summary>
    public static BalancedServer? Parse(string? text) => text?.Split(' ') is [var state, var weight]
        && Enum.TryParse<LbState>(state, ignoreCase: true, out var known)
        && int.TryParse(weight, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? new(known, number, true) : null;
}

/// <summary>The runtime API of HAProxy: one command a connection, in lines of text. Setting what is set already is no change.</summary>
sealed class HaproxyApi(string address)
{
    const int LongestAnswer = 4 * 1024 * 1024, Forced = 1, Drained = 8, Running = 2;
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    /// <summary>The servers of a backend, by their name.</summary>
    /// <exception cref="BalancerException">It does not tell.</exception>
    public async Task<IReadOnlyDictionary<string, BalancedServer>> Servers(string backend, CancellationToken ct)
    {
        var answer = await Say($"show servers state {backend}", ct);
        var lines = answer.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        // The first line is the version of the form, the second its columns.
        if (lines.Length < 2 || lines[0] != "1" || !lines[1].StartsWith("# ", StringComparison.Ordinal))
            throw new BalancerException($"{address}: {First(answer)}");
        var columns = lines[1][2..].Split(' ');
        int Column(string name) => Array.IndexOf(columns, name) is >= 0 and var at ? at
            : throw new BalancerException($"{address} does not tell {name} of its servers: is it HAProxy 1.8 or later?");
        var (name, state, admin, weight) = (Column("srv_name"), Column("srv_op_state"), Column("srv_admin_state"), Column("srv_uweight"));
        var servers = new Dictionary<string, BalancedServer>(StringComparer.Ordinal);
        foreach (var line in lines[2..])
        {
            var values = line.Split(' ');
            if (values.Length < columns.Length) throw new BalancerException($"{address} tells of a server in a form that is not known.");
            int Number(int at) => int.TryParse(values[at], NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
                : throw new BalancerException($"{address} tells '{values[at]}' where a number stands.");
            var flags = Number(admin);
            servers[$"{backend}/{values[name]}"] = new BalancedServer((flags & Forced) != 0 ? LbState.Maint
                : (flags & Drained) != 0 ? LbState.Drain : LbState.Ready, Number(weight), Number(state) == Running);
        }
        return servers;
    }

    /// <summary>Sets state and weight of a server, whichever is given.</summary>
    /// <exception cref="BalancerException">It was not done.</exception>
    public async Task Set(string server, LbState? state, int? weight, CancellationToken ct)
    {
        // The weight first: a server that becomes ready is not to be flooded.
        if (weight is { } number) await Do(string.Create(CultureInfo.InvariantCulture, $"set server {server} weight {number}"), ct);
        if (state is { } wanted) await Do($"set server {server} state {wanted.ToString().ToLowerInvariant()}", ct);
    }

    async Task Do(string command, CancellationToken ct)
    {
        var answer = await Say(command, ct);
        if (answer.Trim().Length > 0) throw new BalancerException($"{address} does not take '{command}': {First(answer)}");
    }

    static string First(string answer)
    {
        var line = answer.Trim().Split('\n')[0];
        return line.Length switch
        {
            0 => "It says nothing. Is this the runtime API, with level admin?",
            > 200 => line[..200],
            _ => line,
        };
    }

    async Task<string> Say(string command, CancellationToken ct)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(Limit);
        try
        {
            await using var stream = await Connect(late.Token);
            await stream.WriteAsync(Encoding.ASCII.GetBytes(command + "\n"), late.Token);
            var answer = new byte[LongestAnswer];
            var read = await stream.ReadAtLeastAsync(answer, answer.Length, throwOnEndOfStream: false, late.Token);
            return read < answer.Length ? Encoding.UTF8.GetString(answer, 0, read)
                : throw new BalancerException($"{address} says more than {LongestAnswer} bytes.");
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.AddressNotAvailable)
        {
            throw new BalancerException($"{address}: there is no such socket on this node.");
        }
        catch (Exception e) when (e is IOException or SocketException) { throw new BalancerException($"{address}: {e.Message}"); }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new BalancerException($"{address} did not answer within {Limit.TotalSeconds:0} seconds.");
        }
    }

    async Task<Stream> Connect(CancellationToken ct)
    {
        if (!address.StartsWith("unix:", StringComparison.Ordinal))
        {
            var (host, port) = KindProblems.Endpoint(address, 0) ?? throw new BalancerException($"'{address}' is no address.");
            return await Egress.Connect(host, port, ct);
        }
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(address["unix:".Length..]), ct);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
