using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;

namespace BackupDr.Agent.Doctor;

/// <summary>Goes the way to one node step by step, so that the first step that fails can be named.</summary>
sealed class NodeLook(AgentIdentity identity, TimeProvider clock)
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Name, connection, TLS, the clocks, and whether the node admits this host.</summary>
    public async Task<IReadOnlyList<Finding>> Look(Uri url, CancellationToken ct)
    {
        var found = new List<Finding>();
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(Patience);
        try
        {
            if (!await Name(url, found, late.Token) || !await Connect(url, found, late.Token)) return found;
            if (await Talk(url, found, late.Token)) found.Add(await Admission(url, late.Token));
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            found.Add(new Finding("node", Health.Bad, $"{url.Authority} does not answer within {Patience.TotalSeconds:0} s",
                "Does something between take the connection and say nothing? Ask who runs the network or the node."));
        }
        return found;
    }

    static async Task<bool> Name(Uri url, List<Finding> found, CancellationToken ct)
    {
        if (url.HostNameType != UriHostNameType.Dns) return true;
        try
        {
            var addresses = await Dns.GetHostAddressesAsync(url.IdnHost, ct);
            found.Add(new Finding("name", Health.Good, $"{url.IdnHost} is {string.Join(", ", addresses.Take(4).Select(one => $"{one}"))}"));
            return true;
        }
        catch (SocketException e)
        {
            found.Add(new Finding("name", Health.Bad, $"{url.IdnHost} is not found: {e.Message}",
                "Look at /etc/resolv.conf, or put the name into /etc/hosts."));
            return false;
        }
    }

    static async Task<bool> Connect(Uri url, List<Finding> found, CancellationToken ct)
    {
        var begun = Stopwatch.GetTimestamp();
        try
        {
            using var socket = new TcpClient();
            await socket.ConnectAsync(url.IdnHost.Trim('[', ']'), url.Port, ct);
            found.Add(new Finding("connection", Health.Good,
                $"{url.Authority} answers in {Stopwatch.GetElapsedTime(begun).TotalMilliseconds:0} ms"));
            return true;
        }
        catch (SocketException e)
        {
            found.Add(new Finding("connection", Health.Bad, $"{url.Authority}: {e.Message}",
                $"Does the node run? Does a firewall let this host out to port {url.Port}?"));
            return false;
        }
    }

    async Task<bool> Talk(Uri url, List<Finding> found, CancellationToken ct)
    {
        X509ChainStatusFlags? problem = null;
        using var http = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            AllowAutoRedirect = false,
            SslOptions =
            {
                ClientCertificates = [identity.Certificate],
                RemoteCertificateValidationCallback = (_, shown, _, _)
                    => (problem = shown is X509Certificate2 leaf ? Distrust(leaf) : X509ChainStatusFlags.PartialChain) is null,
            },
        })
        { BaseAddress = url };
        try
        {
            using var answer = await http.GetAsync(new Uri("/health/live", UriKind.Relative), ct);
            found.Add(new Finding("tls", Health.Good, $"{url.Authority} is a node of this installation"));
            if (answer.Headers.Date is { } theirs) found.Add(Verdicts.Clock(clock.GetUtcNow() - theirs));
            return true;
        }
        catch (HttpRequestException e) when (problem is { } flags)
        {
            found.Add(flags.HasFlag(X509ChainStatusFlags.NotTimeValid)
                ? new Finding("tls", Health.Bad, $"by this host's clock ({clock.GetUtcNow():u}) the node's certificate is not valid",
                    "Set the clock right; if it is right, restart the node: it renews its certificate then.")
                : new Finding("tls", Health.Bad, $"{url.Authority} shows a certificate of another authority ({e.Message})",
                    "A balancer in between must pass TLS through. If this is another installation, join again."));
            return false;
        }
        catch (HttpRequestException e)
        {
            found.Add(new Finding("tls", Health.Bad, $"{url.Authority}: {e.InnerException?.Message ?? e.Message}",
                e.InnerException is AuthenticationException ? "The node refuses this host's certificate, or this is not the agents' port."
                    : "Is this the agents' port, and is TLS passed through to the node?"));
            return false;
        }
    }

    X509ChainStatusFlags? Distrust(X509Certificate2 leaf)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(identity.Authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid("1.3.6.1.5.5.7.3.1"));
        return chain.Build(leaf) ? null : chain.ChainStatus.Aggregate(X509ChainStatusFlags.NoError, (all, one) => all | one.Status);
    }

    /// <summary>Asks for a certificate without a request for one: a node that admits this host says what is wrong with that, and changes
    /// nothing.</summary>
    async Task<Finding> Admission(Uri url, CancellationToken ct)
    {
        using var client = AgentApiClient.Joined(url, identity.Authority, identity.Certificate);
        try
        {
            await client.Renew(new RenewRequest(""), ct);
            return Admitted;
        }
        catch (BadInputException) { return Admitted; }
        catch (BackupDrException e)
        {
            return new Finding("admission", Health.Bad, e.Message, e.Hint ?? "Look at the host's page in the console.");
        }
    }

    Finding Admitted => new("admission", Health.Good, $"admitted as {identity.Membership.HostName} ({identity.Membership.Host})");
}
