

  const x
    = ;
